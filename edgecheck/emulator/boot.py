"""What the machine boots from: a system's kernel, the modules for its disks and ports, and the initramfs with them.

An initramfs is a sequence of cpio archives in `newc` format:
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

from __future__ import annotations

import lzma
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edgecheck.errors import EmulatorError

#: Modules for virtio disks and ports.
MODULES = ("virtio_mmio", "virtio_blk", "virtio_console")

_HINT = "Take the tar of Dockerfile.arm64's stage `machine`."


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image and its modules folder."""

    image: Path
    release: str
    modules: Path


def find_kernel(tree: Path) -> Kernel:
    """The newest kernel under `tree`/boot.

    Raises:
        EmulatorError: there is none, or its modules are missing.
    """
    images = sorted((tree / "boot").glob("vmlinuz-*"), key=_version)
    if not images:
        raise EmulatorError("The system holds no kernel (boot/vmlinuz-*).", _HINT)
    release = images[-1].name.removeprefix("vmlinuz-")
    for place in (tree / "usr/lib/modules" / release, tree / "lib/modules" / release):
        if place.is_dir():
            return Kernel(images[-1], release, place)
    raise EmulatorError(f"The system holds no modules for its kernel {release}.", _HINT)


def _version(path: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", path.name)]


def modules(kernel: Kernel, names: Sequence[str] = MODULES) -> list[tuple[str, bytes]]:
    """Name and content of the modules `names` and of those that they depend on, in loading order.

    `insmod` does not resolve dependencies, and an unpacked package has no `modules.dep`: the `depends=` of each module
    is read instead.
    """
    files = {path.name.partition(".ko")[0].replace("-", "_"): path for path in kernel.modules.rglob("*.ko*")}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in found or name not in files:  # a module without a file is built in
            return
        content = _content(files[name])
        for needed in re.findall(rb"\0depends=([^\0]*)\0", content):
            for dependency in filter(None, needed.decode().split(",")):
                add(dependency.replace("-", "_"))
        found[name] = content

    for name in names:
        add(name)
    return list(found.items())


def _content(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    return path.read_bytes()


_FOLDERS = ("bin", "dev", "guest", "modules", "proc", "root", "sys")

#: The device number of /dev/console, without which the kernel starts init without standard streams.
_CONSOLE = (5, 1)


def drivers(busybox: bytes, modules: Sequence[tuple[str, bytes]]) -> bytes:
    """The archive that comes from a system: /bin/busybox, and /modules with their loading order in /modules/order."""
    order = "".join(f"{name}.ko\n" for name, _ in modules).encode()
    entries = [cpio_entry(name, stat.S_IFDIR | 0o755) for name in _FOLDERS]
    entries.append(cpio_entry("dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE))
    entries.append(cpio_entry("bin/busybox", stat.S_IFREG | 0o755, busybox))
    entries.append(cpio_entry("modules/order", stat.S_IFREG | 0o644, order))
    entries += [cpio_entry(f"modules/{name}.ko", stat.S_IFREG | 0o644, content) for name, content in modules]
    return b"".join([*entries, cpio_entry("TRAILER!!!", 0)])


def scripts() -> bytes:
    """The archive that comes with edgecheck: /init, and what it runs from /guest."""
    places = (("initramfs.sh", "init"), ("init.sh", "guest/init"), ("warm.py", "guest/warm.py"))
    folder = resources.files("edgecheck.emulator").joinpath("guest")
    entries = [cpio_entry(place, stat.S_IFREG | 0o755, folder.joinpath(name).read_bytes()) for name, place in places]
    return b"".join([*entries, cpio_entry("TRAILER!!!", 0)])


def cpio_entry(name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """One file of an archive; the entry `TRAILER!!!` ends it."""
    path = name.encode() + b"\0"
    inode, owner, group, links, modified, check = 0, 0, 0, 1, 0, 0
    fields = (inode, mode, owner, group, links, modified, len(content), 0, 0, *device, len(path), check)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + path) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
