"""The runtime wheels for a device's Python, machine and libc, as one content-addressed archive.

bundle_for(requirements, platform) -> Bundle      made once, on the host, then from the cache
unpacked(bundle) -> Path                          a folder for sys.path, or for the emulated machine's disk
probe.py, unpacker.py                             run on the device: print its facts; unpack the archive there
"""

from __future__ import annotations

from edgecheck.bundles.bundle import Bundle, LeftOut, Wheel
from edgecheck.bundles.device_platform import DevicePlatform, host_platform, platform_of
from edgecheck.bundles.obtain import bundle_for, cache_folder, unpack, unpacked

__all__ = [
    "Bundle",
    "DevicePlatform",
    "LeftOut",
    "Wheel",
    "bundle_for",
    "cache_folder",
    "host_platform",
    "platform_of",
    "unpack",
    "unpacked",
]
