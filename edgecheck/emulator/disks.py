"""Disks of a machine, made without root and without a loop device: those for jobs, of the runtime and of the agent.

The disks of a runtime bundle and of an agent are read-only, and built once per content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgecheck.emulator import bytecode, ext4, programs
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import Image
from edgecheck.store import Progress

_FILE = "disk.img"

#: Part of every key: raised when a bundle's disk is made in another way.
_RECIPE = 4

#: Of the cache, for all disks.
_MOST_BYTES = 4 << 30


def bundle(key: str, unpack: Callable[[Path], None], image: Image, cache: Cache, progress: Progress) -> Path:
    """The disk of a runtime bundle.

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
        bytecode.add(files, image, folder.parent, progress)
        ext4.write(files, folder / _FILE)
        return {"bundle": key}

    name = hashlib.sha256(f"{_RECIPE} {key} {image.content}".encode()).hexdigest()
    found = cache.disks.ensure(f"bundle-{name[:16]}", build, progress).folder / _FILE
    cache.disks.trim(_MOST_BYTES)
    return found


def agent(folder: Path, cache: Cache, progress: Progress) -> Path:
    """The disk with the Python package in `folder`: a folder of the same name."""
    files = _modules(folder)

    def build(place: Path) -> Mapping[str, Any]:
        copy = place.parent / "files"
        (copy / folder.name).mkdir(parents=True)
        for name, text in files.items():
            (copy / name).write_bytes(text)
        ext4.write(copy, place / _FILE)
        return {}

    return cache.disks.ensure(f"agent-{agent_content(folder)[:16]}", build, progress).folder / _FILE


def agent_content(folder: Path) -> str:
    """A digest of the Python package in `folder`, in hexadecimal."""
    content = hashlib.sha256()
    for name, text in _modules(folder).items():
        content.update(name.encode() + b"\0" + text + b"\0")
    return content.hexdigest()


def _modules(folder: Path) -> dict[str, bytes]:
    return {f"{folder.name}/{file.name}": file.read_bytes() for file in sorted(folder.glob("*.py"))}


_BLOCK = 4096
_INODE = 256
_SPARE_FILES = 512


def make(folder: Path, image: Path, *, free_bytes: int = 0) -> None:
    """Write `image`, an ext4 file system with the content of `folder` and `free_bytes` of free space.

    For disks that the machine writes to; others are written by `ext4.write`. No journal: the image is thrown away, or
    read-only afterwards.

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
