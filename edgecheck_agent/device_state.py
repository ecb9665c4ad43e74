"""What a device is and how it is: board, kernel, processor, memory, clocks, temperature, throttling."""

import glob
import os
import re
import subprocess
import sys
from typing import Any, Dict, List, Optional

from edgecheck_agent import device_processor, procfs

# Bits of `vcgencmd get_throttled`, as Raspberry Pi documents them.
THROTTLED = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage has occurred",
    17: "frequency capping has occurred",
    18: "throttling has occurred",
    19: "soft temperature limit has occurred",
}
_TOOL_S = 2.0
_TOOL_FOLDERS = ("/usr/bin", "/usr/sbin", "/opt/vc/bin")  # over SSH, PATH may lack some of them
_FIRMWARE = "/sys/devices/platform/soc/soc:firmware/get_throttled"  # where a Raspberry Pi runs another Linux


def state(when: str) -> Dict[str, Any]:
    """The fields of the `device` event; a figure that the device does not give is None."""
    system = os.uname()
    return {
        "when": when,
        "model": procfs.text("/proc/device-tree/model") or None,
        "system": system.sysname,
        "kernel": system.release,
        "machine": system.machine,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "python_bits": 64 if sys.maxsize > 2**32 else 32,
        "libc": _libc(),
        "page_size": procfs.PAGE,
        "cpu": device_processor.processor(),
        "memory": _memory(),
        "storage": _storage(),
        "temperatures": _temperatures(),
        "throttled": _throttled(),
        "power_mode": _tool("nvpmodel", "-q"),
        "load_average": list(os.getloadavg()),
    }


def _libc() -> Optional[str]:
    """As in "glibc 2.36" or "musl 1.2.4"; None where it is neither."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        loaders = glob.glob("/lib/ld-musl-*.so.1")
    said = _tool(loaders[0], "--version") if loaders else None
    version = re.search(r"Version (\S+)", said or "")
    return "musl " + version.group(1) if version else None


def _memory() -> Dict[str, Optional[int]]:
    info = procfs.sizes("/proc/meminfo")
    swap = info["SwapTotal"] - info["SwapFree"] if "SwapTotal" in info else None
    return {"total": info.get("MemTotal"), "available": info.get("MemAvailable"), "swap_used": swap}


def _storage() -> Dict[str, int]:
    """Of the disk that the agent lies on."""
    disk = os.statvfs(os.path.dirname(os.path.abspath(__file__)))
    return {"total": disk.f_blocks * disk.f_frsize, "free": disk.f_bavail * disk.f_frsize}


def _temperatures() -> Dict[str, float]:
    """Degrees Celsius by thermal zone."""
    found = {}
    for zone in sorted(glob.glob("/sys/class/thermal/thermal_zone*")):
        milli = procfs.text(zone + "/temp")
        if re.match(r"-?\d+$", milli):
            found[procfs.text(zone + "/type") or os.path.basename(zone)] = int(milli) / 1000
    return found


def _throttled() -> Optional[Dict[str, Any]]:
    said = _tool("vcgencmd", "get_throttled")
    match = re.match(r"(?:throttled=0x)?([0-9a-fA-F]+)$", said or procfs.text(_FIRMWARE))
    return decoded(int(match.group(1), 16)) if match else None


def decoded(raw: int) -> Dict[str, Any]:
    """What the bits of `vcgencmd get_throttled` say: now, and since the board was started."""
    flags: List[str] = [meaning for bit, meaning in sorted(THROTTLED.items()) if raw >> bit & 1]
    return {"raw": raw, "flags": flags}


def _tool(name: str, argument: str) -> Optional[str]:
    """What a vendor's tool prints; None where there is none, or it does not answer."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_TOOL_FOLDERS]
    paths = [path for path in (os.path.join(folder, name) for folder in folders) if os.access(path, os.X_OK)]
    if not paths:
        return None
    try:
        done = subprocess.run(
            [paths[0], argument],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TOOL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip()
