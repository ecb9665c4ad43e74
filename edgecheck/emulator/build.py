"""Build the emulated machine's system: a disk with Python, a kernel and an initramfs, from the lock or from a tar."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgecheck.emulator import boot, ext4, lock, mirrors, packages, programs, rootfs
from edgecheck.emulator.cache import Cache, default_cache
from edgecheck.emulator.hardware import Image
from edgecheck.errors import EmulatorError
from edgecheck.store import Entry, Progress, Store

#: Part of every key: raised when a system is built in another way.
_RECIPE = 2

_SYSTEM, _KERNEL, _DRIVERS, _INITRAMFS = "system.img", "kernel", "drivers.cpio", "initramfs"


def ensure(progress: Progress, *, python: str = "", cache: Cache | None = None) -> Image:
    """The system: one that was imported and has the Python, else that of the lock, built now if the cache has none.

    Args:
        progress: Called with what is being done.
        python: The device's, as `3.11`; the lock's system has its own, whatever the device has.
        cache: Where the system is kept.

    Raises:
        EmulatorError: QEMU or mke2fs is missing, or the packages cannot be fetched; the hint says what to do.
    """
    programs.require(programs.QEMU, programs.MKE2FS)
    cache = cache or default_cache()
    own = lock.own()
    entry = _systems(cache).get(_key(python or own.python))
    if entry is None:
        key = f"guest-{own.content[:16]}-{_RECIPE}"
        entry = _systems(cache).ensure(key, lambda folder: _from_lock(folder, progress), progress)
    return _with_scripts(entry, cache, progress)


def python_of(python: str, *, cache: Cache | None = None) -> str:
    """The Python of the system that `ensure` returns, which may not be built yet.

    Raises:
        EmulatorError: QEMU or mke2fs is missing.
    """
    programs.require(programs.QEMU, programs.MKE2FS)
    entry = _systems(cache or default_cache()).get(_key(python))
    return lock.own().python if entry is None else str(entry.facts["python"])


def import_tar(tar: Path, progress: Progress, *, cache: Cache | None = None) -> Image:
    """The system in a tar, which is used from now on for devices with the same Python.

    Raises:
        EmulatorError: the tar is missing or does not hold a usable system.
    """
    programs.require(programs.QEMU, programs.MKE2FS, "tar")
    cache = cache or default_cache()
    python = _newest_python(rootfs.names(tar))
    entry = _systems(cache).replace(_key(python), lambda folder: _from_tar(tar, folder, progress), progress)
    return _with_scripts(entry, cache, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What the emulator has in its cache."""

    folder: Path
    qemu: str
    """QEMU's version; empty where it is not installed."""
    images: tuple[Image, ...]
    disk_bytes: int
    """What the disks with bundles and agents take."""
    state_bytes: int
    """What the saved machines take."""


def info(*, cache: Cache | None = None) -> Built:
    """What is built and intact."""
    cache = cache or default_cache()
    output = programs.run((programs.QEMU, "--version")) if programs.find(programs.QEMU) else ""
    version = re.search(r"version (\S+)", output)
    return Built(
        folder=cache.root,
        qemu=version[1] if version else "",
        images=tuple(_with_scripts(entry, cache, _silent) for entry in _systems(cache).entries()),
        disk_bytes=sum(entry.size for entry in cache.disks.entries()),
        state_bytes=sum(entry.size for entry in cache.states.entries()),
    )


def _silent(_: str) -> None:
    """Report no progress."""


def _systems(cache: Cache) -> Store:
    return replace(cache.images, reads=_image)


def _key(python: str) -> str:
    return f"python{python}-{_RECIPE}"


def _with_scripts(entry: Entry, cache: Cache, progress: Progress) -> Image:
    """The image of a system with this edgecheck's scripts, which a new edgecheck replaces without a new system."""
    scripts = boot.scripts()
    content = hashlib.sha256(entry.content.encode() + scripts).hexdigest()

    def build(folder: Path) -> Mapping[str, Any]:
        (folder / _INITRAMFS).write_bytes((entry.folder / _DRIVERS).read_bytes() + scripts)
        return {}

    initramfs = cache.boot.ensure(content[:16], build, progress)
    image = _image(entry)
    return replace(image, initramfs=initramfs.folder / _INITRAMFS, content=content, bytes=image.bytes + initramfs.size)


def _image(entry: Entry) -> Image:
    """A system with the drivers alone."""
    return Image(
        system=entry.folder / _SYSTEM,
        kernel=entry.folder / _KERNEL,
        initramfs=entry.folder / _DRIVERS,
        content=entry.content,
        bytes=entry.size,
        **entry.facts,
    )


def _from_lock(folder: Path, progress: Progress) -> dict[str, Any]:
    """Build into `folder` from the packages of the lock.

    Raises:
        EmulatorError: no mirror answers, or what one sends is not what the lock names.
    """
    scratch = folder.parent
    own = lock.own()
    found = packages.obtain(own, mirrors.mirrors(own.time), scratch / "packages", progress)
    progress(f"unpacking {len(found.files)} packages")
    packages.unpack(found.files, scratch / "tree")
    versions = {package.name: package.version for package in found.packages}
    return _assemble(scratch / "tree", folder, versions, progress) | {"origin": "packages", "replaced": found.replaced}


def _from_tar(tar: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    """Build into `folder` from a root file system in a tar, which includes a kernel.

    Raises:
        EmulatorError: the tar is unreadable, or lacks Python, busybox or a kernel.
    """
    tree = folder.parent / "tree"
    progress(f"unpacking {tar.name}")
    rootfs.unpack(tar, tree, _touched(rootfs.names(tar)))
    status = tree / "var/lib/dpkg/status"
    text = status.read_text(encoding="utf-8", errors="replace") if status.is_file() else ""
    versions = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)", text, re.MULTILINE))
    return _assemble(tree, folder, versions, progress) | {"origin": tar.name}


def _touched(names: Iterable[str]) -> list[str]:
    """What is read, written or removed in a system."""
    read = [
        name for name in names if re.match(r"boot/vmlinuz-|usr/bin/python3|(usr/)?bin/busybox$|.*\.ko(\.xz)?$", name)
    ]
    return [*read, *_KERNEL_FOLDERS, *_UNUSED, *_MOUNT_POINTS, "var/lib/dpkg/status"]


def _assemble(tree: Path, folder: Path, versions: dict[str, str], progress: Progress) -> dict[str, Any]:
    """Write kernel, drivers and system disk; returns the fields of `Image` that are not about files."""
    kernel = boot.find_kernel(tree)
    modules = boot.modules(kernel)
    python = _newest_python(str(path) for path in (tree / "usr/bin").glob("python3*"))
    rootfs.require_arm64(tree, f"usr/bin/python{python}")
    shutil.copyfile(kernel.image, folder / _KERNEL)
    (folder / _DRIVERS).write_bytes(boot.drivers(busybox(tree), modules))
    furnish(tree, python)
    progress("writing the system disk")
    ext4.write(tree, folder / _SYSTEM)
    return {"python": python, "versions": {**versions, "linux": kernel.release}}


def _newest_python(names: Iterable[str]) -> str:
    found = {int(match[1]) for name in names if (match := re.search(r"usr/bin/python3\.(\d+)$", name))}
    if not found:
        raise EmulatorError("The system holds no Python (usr/bin/python3.N).", packages.HINT)
    return f"3.{max(found)}"


def busybox(tree: Path) -> bytes:
    """The system's busybox.

    Raises:
        EmulatorError: there is none for arm64.
    """
    for place in ("usr/bin/busybox", "bin/busybox"):
        if (tree / place).is_file():
            rootfs.require_arm64(tree, place)
            return (tree / place).read_bytes()
    raise EmulatorError("The system holds no busybox; its package is busybox-static.", packages.HINT)


_UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/perl5",
)

#: The machine's kernel and modules are copied out of these.
_KERNEL_FOLDERS = ("boot", "lib/modules", "usr/lib/modules")

_MOUNT_POINTS = ("agent", "bundle", "dev", "job", "proc", "sys", "tmp")


def furnish(tree: Path, python: str) -> None:
    """Add mount points and links to a system, and remove what the machine does not read."""
    for name in (*_UNUSED, *_KERNEL_FOLDERS):
        shutil.rmtree(tree / name, ignore_errors=True)
    for name in ("bin", "lib", "sbin"):  # where all of Debian is under /usr, the package base-files links these
        if not (tree / name).exists() and (tree / "usr" / name).exists():
            (tree / name).symlink_to(f"usr/{name}")
    for name in _MOUNT_POINTS:
        (tree / name).mkdir(exist_ok=True)
    if not (tree / "usr/bin/python3").exists():
        (tree / "usr/bin/python3").symlink_to(f"python{python}")
