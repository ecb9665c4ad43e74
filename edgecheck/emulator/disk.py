"""Disk images for the machine: ext4 from a folder, without root and without a loop device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edgecheck.emulator import programs

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 4096
_INODE = 256
_SPARE_FILES = 512


def make(folder: Path, image: Path, *, free_bytes: int = 0) -> None:
    """Write `image`, an ext4 file system with the content of `folder` and `free_bytes` of room.

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
    """Bytes in whole blocks, and how many files and folders."""
    data = files = 0
    for place, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        data += _BLOCK * len(folders)
        for name in names:
            size = os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - thousands of files: no object for each
            data += -(-size // _BLOCK) * _BLOCK
    return data, files
