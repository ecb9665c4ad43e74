"""The first file system that the kernel sees: busybox, drivers and scripts, as cpio archives in `newc` format.

The format, and that archives may follow one another:
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

from __future__ import annotations

import stat
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDERS = ("bin", "dev", "guest", "modules", "proc", "root", "sys")
_CONSOLE = (5, 1)  # the device number of /dev/console, without which the kernel starts init mute


def drivers(busybox: bytes, modules: Sequence[tuple[str, bytes]]) -> bytes:
    """The part that comes from a system: /bin/busybox, and /modules with their loading order in /modules/order."""
    order = "".join(f"{name}.ko\n" for name, _ in modules).encode()
    entries = [_entry(name, stat.S_IFDIR | 0o755) for name in _FOLDERS]
    entries.append(_entry("dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE))
    entries.append(_entry("bin/busybox", stat.S_IFREG | 0o755, busybox))
    entries.append(_entry("modules/order", stat.S_IFREG | 0o644, order))
    entries += [_entry(f"modules/{name}.ko", stat.S_IFREG | 0o644, content) for name, content in modules]
    return b"".join([*entries, _entry("TRAILER!!!", 0)])


def scripts() -> bytes:
    """The part that comes with edgecheck: /init, and what it runs from /guest."""
    places = (("initramfs.sh", "init"), ("init.sh", "guest/init"), ("warm.py", "guest/warm.py"))
    folder = resources.files("edgecheck.emulator").joinpath("guest")
    entries = [_entry(place, stat.S_IFREG | 0o755, folder.joinpath(name).read_bytes()) for name, place in places]
    return b"".join([*entries, _entry("TRAILER!!!", 0)])


def _entry(name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    path = name.encode() + b"\0"
    inode, owner, group, links, modified, check = 0, 0, 0, 1, 0, 0
    fields = (inode, mode, owner, group, links, modified, len(content), 0, 0, *device, len(path), check)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + path) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
