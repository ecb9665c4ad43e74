"""The machine's system: a disk with Python, a kernel and an initramfs, made from packages or from a tar."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.emulator import disk, initramfs, kernel, packages, rootfs
from edgecheck.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecheck.emulator.store import Progress

SYSTEM, KERNEL, DRIVERS = "system.img", "kernel", "drivers.cpio"

# Python's own packages bring the C library; the rest is what wheels for the device link against, and init's busybox.
_PACKAGES = ("libpython3-stdlib", "libstdc++6", "libgomp1", "busybox-static")
_KERNEL = "linux-image-cloud-arm64"  # the smallest of Debian's: virtio and little else
_UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/perl5",
)
_FOLDERS = ("boot", "lib/modules", "usr/lib/modules")  # of the kernel, which has what it takes of them elsewhere
_MOUNT_POINTS = ("agent", "bundle", "dev", "job", "proc", "sys", "tmp")


@dataclass(frozen=True, slots=True)
class Image:
    """A built system, and the scripts of this edgecheck."""

    system: Path
    kernel: Path
    initramfs: Path
    content: str
    """sha256 over its files: whatever was made with another image is not used with this one."""
    python: str
    """As `3.11`."""
    versions: Mapping[str, str]
    """By package; `linux` is the kernel's release."""
    origin: str
    bytes: int
    """What it takes of the disk."""


def from_packages(folder: Path, python: str, progress: Progress) -> dict[str, Any]:
    """Build into `folder` from the host's apt sources.

    Raises:
        EmulatorError: not a Debian host, no arm64 packages, another Python than `python`, no network, no space.
    """
    with tempfile.TemporaryDirectory(prefix=".packages-", dir=folder.parent) as name:
        scratch = Path(name)
        archive = packages.Archive(scratch / "apt")
        progress("reading the package lists for arm64")
        archive.refresh()
        _require_python(archive.version("python3-minimal"), python)
        newest = archive.dependency(_KERNEL, r"linux-image-[0-9]\S*-cloud-arm64")
        progress(f"downloading Python {python} and {newest}")
        files = archive.download((f"python{python}-minimal", *_PACKAGES), closure=True)
        files = sorted({*files, *archive.download((newest,), closure=False)})
        progress(f"unpacking {len(files)} packages")
        packages.unpack(files, scratch / "tree")
        versions = packages.described(files)
        return _assemble(scratch / "tree", folder, versions, progress) | {"origin": "packages"}


def from_tar(tar: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    """Build into `folder` from a root file system in a tar, with a kernel in it.

    Raises:
        EmulatorError: the tar is unreadable, or holds no Python, busybox or kernel.
    """
    with tempfile.TemporaryDirectory(prefix=".tar-", dir=folder.parent) as name:
        tree = Path(name) / "tree"
        progress(f"unpacking {tar.name}")
        rootfs.unpack(tar, tree, _touched(rootfs.names(tar)))
        status = tree / "var/lib/dpkg/status"
        text = status.read_text(encoding="utf-8", errors="replace") if status.is_file() else ""
        versions = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)", text, re.MULTILINE))
        return _assemble(tree, folder, versions, progress) | {"origin": tar.name}


def _assemble(tree: Path, folder: Path, versions: dict[str, str], progress: Progress) -> dict[str, Any]:
    found = kernel.find(tree)
    modules = kernel.modules(found)
    python = _newest_python(str(path) for path in (tree / "usr/bin").glob("python3*"))
    rootfs.require_arm64(tree, f"usr/bin/python{python}")
    shutil.copyfile(found.image, folder / KERNEL)
    (folder / DRIVERS).write_bytes(initramfs.drivers(_busybox(tree), modules))
    _furnish(tree, python)
    progress("writing the system disk")
    disk.make(tree, folder / SYSTEM)
    return {"python": python, "versions": {**versions, "linux": found.release}}


def _furnish(tree: Path, python: str) -> None:
    """Mount points, and nothing that the machine does not read."""
    for name in (*_UNUSED, *_FOLDERS):
        shutil.rmtree(tree / name, ignore_errors=True)
    for name in ("bin", "lib", "sbin"):  # where all of Debian is under /usr, the package base-files links these
        if not (tree / name).exists() and (tree / "usr" / name).exists():
            (tree / name).symlink_to(f"usr/{name}")
    for name in _MOUNT_POINTS:
        (tree / name).mkdir(exist_ok=True)
    if not (tree / "usr/bin/python3").exists():
        (tree / "usr/bin/python3").symlink_to(f"python{python}")


def python_of(tar: Path) -> str:
    """The Python that a tar holds, as `3.11`.

    Raises:
        EmulatorError: it is no tar, or there is no Python in it.
    """
    return _newest_python(rootfs.names(tar))


def _touched(names: Iterable[str]) -> list[str]:
    """What is read, written or removed in a system."""
    read = [
        name for name in names if re.match(r"boot/vmlinuz-|usr/bin/python3|(usr/)?bin/busybox$|.*\.ko(\.xz)?$", name)
    ]
    return [*read, *_FOLDERS, *_UNUSED, *_MOUNT_POINTS, "var/lib/dpkg/status"]


def _newest_python(names: Iterable[str]) -> str:
    found = {int(match[1]) for name in names if (match := re.search(r"usr/bin/python3\.(\d+)$", name))}
    if not found:
        raise EmulatorError("The system holds no Python (usr/bin/python3.N).", packages.HINT)
    return f"3.{max(found)}"


def _busybox(tree: Path) -> bytes:
    for place in ("usr/bin/busybox", "bin/busybox"):
        if (tree / place).is_file():
            rootfs.require_arm64(tree, place)
            return (tree / place).read_bytes()
    raise EmulatorError("The system holds no busybox; its package is busybox-static.", packages.HINT)


def _require_python(version: str, wanted: str) -> None:
    if not version.startswith(f"{wanted}."):
        raise EmulatorError(
            f"The device has Python {wanted}; this host's package sources have {version.partition('-')[0]}.",
            packages.HINT,
        )
