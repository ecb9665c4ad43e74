"""Build the emulated machine's system once, and tell what is built."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.emulator import image, initramfs, programs
from edgecheck.emulator.image import Image
from edgecheck.emulator.store import DISKS, STATES, default_store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgecheck.emulator.store import Entry, Progress, Store

PYTHON = "3.11"

_IMAGES, _BOOT = "images", "boot"
_RECIPE = 1  # raised when image.py builds something else


def ensure(progress: Progress, *, python: str = PYTHON, store: Store | None = None) -> Image:
    """The system with the given Python, built from the host's packages if the cache has none that is intact.

    Raises:
        EmulatorError: QEMU or mke2fs is missing, or the host cannot build it; the hint says what to do.
    """
    programs.require(programs.QEMU, programs.MKE2FS)
    cache = store or default_store()
    entry = cache.ensure(_IMAGES, _key(python), lambda folder: image.from_packages(folder, python, progress), progress)
    return _with_scripts(entry, cache, progress)


def import_tar(tar: Path, progress: Progress, *, store: Store | None = None) -> Image:
    """The system of a tar, which takes the place of what was built for the same Python.

    Raises:
        EmulatorError: the tar is missing or holds no such system.
    """
    programs.require(programs.QEMU, programs.MKE2FS, "tar")
    cache = store or default_store()
    entry = cache.replace(
        _IMAGES, _key(image.python_of(tar)), lambda folder: image.from_tar(tar, folder, progress), progress
    )
    return _with_scripts(entry, cache, progress)


@dataclass(frozen=True, slots=True)
class Built:
    """What there is of the emulator on this host."""

    folder: Path
    qemu: str
    """QEMU's version; empty where it is not installed."""
    images: tuple[Image, ...]
    disk_bytes: int
    """What the disks with bundles and agents take."""
    state_bytes: int
    """What the saved machines take; they go when they are not used for long."""


def info(*, store: Store | None = None) -> Built:
    """What is built and intact."""
    cache = store or default_store()
    told = programs.run((programs.QEMU, "--version")) if programs.find(programs.QEMU) else ""
    version = re.search(r"version (\S+)", told)
    return Built(
        folder=cache.root,
        qemu=version[1] if version else "",
        images=tuple(_with_scripts(entry, cache, _silent) for entry in cache.entries(_IMAGES)),
        disk_bytes=sum(entry.bytes_on_disk() for entry in cache.entries(DISKS)),
        state_bytes=sum(entry.bytes_on_disk() for entry in cache.entries(STATES)),
    )


def _with_scripts(entry: Entry, cache: Store, progress: Progress) -> Image:
    """Scripts are edgecheck's, not the system's: a new edgecheck brings its own to a system that was imported once."""
    scripts = initramfs.scripts()
    content = hashlib.sha256(entry.content.encode() + scripts).hexdigest()

    def build(folder: Path) -> Mapping[str, Any]:
        (folder / "initramfs").write_bytes((entry.folder / image.DRIVERS).read_bytes() + scripts)
        return {}

    boot = cache.ensure(_BOOT, content[:16], build, progress)
    return Image(
        system=entry.folder / image.SYSTEM,
        kernel=entry.folder / image.KERNEL,
        initramfs=boot.folder / "initramfs",
        content=content,
        bytes=entry.bytes_on_disk() + boot.bytes_on_disk(),
        **entry.facts,
    )


def _key(python: str) -> str:
    return f"python{python}-{_RECIPE}"


def _silent(_: str) -> None:
    pass
