"""Disks of a machine: ext4 images without root and without a loop device, and those of the runtime and the agent.

The disks of a runtime bundle and of an agent are read-only, and built once per content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgecheck.deadline import Deadline
from edgecheck.emulator import programs
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import Hardware, Image, Memory
from edgecheck.emulator.qemu import Qemu
from edgecheck.emulator.running import How, Running
from edgecheck.errors import EmulatorError
from edgecheck.store import Progress

_FILE = "disk.img"

#: Of the cache, for all disks.
_MOST_BYTES = 4 << 30

#: Room for compiled modules; those of a runtime and the standard library take 10 MB.
_COMPILED_BYTES = 64 << 20


def bundle(key: str, unpack: Callable[[Path], None], image: Image, cache: Cache, progress: Progress) -> Path:
    """The disk of a runtime bundle.

    Importing a module from source costs ten times what its compiled form does, so the machine is started once with the
    disk writable and imports the runtime, which leaves the compiled modules on it.

    Args:
        key: Names the bundle's content; the same key means the same disk.
        unpack: Writes the bundle into the new folder at a path.
        image: The system that compiles.
        cache: Where the disk is kept.
        progress: Called with what is being done.

    Raises:
        EmulatorError: no space, or the machine does not start.
    """

    def build(folder: Path) -> Mapping[str, Any]:
        files = folder.parent / "files"
        progress("unpacking the runtime bundle")
        unpack(files)
        make(files, folder / _FILE, free_bytes=_COMPILED_BYTES)
        progress("compiling the runtime's modules in the machine")
        _compile(image, folder / _FILE)
        return {"bundle": key}

    name = hashlib.sha256(f"{key} {image.python}".encode()).hexdigest()
    found = cache.disks.ensure(f"bundle-{name[:16]}", build, progress).folder / _FILE
    cache.disks.trim(_MOST_BYTES)
    return found


def agent(folder: Path, cache: Cache, progress: Progress) -> Path:
    """The disk with the Python package in `folder`: a folder of the same name."""
    files = {f"{folder.name}/{file.name}": file.read_bytes() for file in sorted(folder.glob("*.py"))}
    content = hashlib.sha256()
    for name, text in files.items():
        content.update(name.encode() + b"\0" + text + b"\0")

    def build(place: Path) -> Mapping[str, Any]:
        copy = place.parent / "files"
        (copy / folder.name).mkdir(parents=True)
        for name, text in files.items():
            (copy / name).write_bytes(text)
        make(copy, place / _FILE)
        return {}

    return cache.disks.ensure(f"agent-{content.hexdigest()[:16]}", build, progress).folder / _FILE


#: Seconds, on a busy host.
_COMPILING = 300.0

_COMPILING_RAM = 1 << 30

#: Runs every wheel; without features that are slow in QEMU.
_COMPILING_CPU = "max,pauth=off,sve=off,sme=off"


def _compile(image: Image, path: Path) -> None:
    hardware = Hardware(
        image=image,
        cpu=_COMPILING_CPU,
        memory=Memory(_COMPILING_RAM),
        disks={},
        scratch={"bundle": path},
        options=("edgecheck.bundle=rw",),
    )
    with Qemu(hardware) as qemu:
        running = Running(qemu, Deadline.after(_COMPILING))
        running.ready()
        running.start(("true",))
        running.go(b"")
        ending = running.ending()
    if ending.how is not How.FINISHED:
        raise EmulatorError(f"The runtime's modules could not be compiled: {ending.reason}")


_BLOCK = 4096
_INODE = 256
_SPARE_FILES = 512


def make(folder: Path, image: Path, *, free_bytes: int = 0) -> None:
    """Write `image`, an ext4 file system with the content of `folder` and `free_bytes` of free space.

    No journal: the image is either read-only or thrown away.

    Raises:
        EmulatorError: mke2fs is missing, or the disk is full.
    """
    data, files = _content(folder)
    inodes = files + _SPARE_FILES
    size = int((data + free_bytes) * 1.02) + inodes * (_INODE + _BLOCK // 4) + (8 << 20)
    programs.run(
        (
            *(programs.MKE2FS, "-q", "-F", "-t", "ext4", "-b", str(_BLOCK), "-I", str(_INODE), "-N", str(inodes)),
            *("-m", "0", "-O", "^has_journal,^resize_inode", "-E", "root_owner=0:0,lazy_itable_init=0"),
            *("-d", str(folder), str(image), f"{size // 1024}K"),
        )
    )


def _content(folder: Path) -> tuple[int, int]:
    """Bytes in complete blocks, and the number of files and folders."""
    data = files = 0
    for place, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        data += _BLOCK * len(folders)
        for name in names:
            size = os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - thousands of files: no object for each
            data += -(-size // _BLOCK) * _BLOCK
    return data, files
