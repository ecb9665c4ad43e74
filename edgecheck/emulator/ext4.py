"""Write a folder as a read-only ext4 image: the same bytes for the same files, on every host and with every Python.

mke2fs cannot promise that: what it writes depends on its version, on its configuration and on the order in which the
host lists a folder. Owners are root's, times are one constant, and modes are 755 or 644. Everything about the file
system is at its beginning, and each file is in one piece after it. The layout is the kernel's:
https://docs.kernel.org/filesystems/ext4/
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from edgecheck.errors import EmulatorError

_BLOCK, _INODE = 4096, 256

#: Blocks of a group: as many as one block of bitmap has bits.
_GROUP = _BLOCK * 8

#: Blocks of one extent at most, and extents in an inode.
_EXTENT, _EXTENTS = 1 << 15, 4

#: Bytes of the largest file.
LARGEST = _EXTENTS * _EXTENT * _BLOCK

_ROOT, _FIRST = 2, 11

#: All times: 2024-01-01 in UTC, where the machine's clock begins. Compiled modules remember their sources' times.
_TIME = 1_704_067_200

#: sparse_super2 without backups; filetype, extent, flex_bg; large_file, huge_file, dir_nlink, extra_isize.
_COMPATIBLE, _INCOMPATIBLE, _READ_ONLY = 0x200, 0x2 | 0x40 | 0x200, 0x2 | 0x8 | 0x20 | 0x40

_EXTENTS_FLAG = 0x80000

#: The kinds of directory entries.
_FILE, _FOLDER, _LINK = 1, 2, 7


@dataclass(slots=True, kw_only=True)
class _Node:
    """One file, folder or symbolic link."""

    number: int
    parent: int
    mode: int
    path: str
    content: bytes = b""
    """Of a folder or a link; files are read when they are written."""
    size: int = 0
    links: int = 1
    start: int = 0
    entries: list[tuple[bytes, _Node]] = field(default_factory=list)

    @property
    def inside(self) -> bool:
        """Whether the content is in the inode itself, as that of a short link."""
        return stat.S_ISLNK(self.mode) and self.size < 60  # noqa: PLR2004 - the bytes of i_block

    @property
    def blocks(self) -> int:
        return 0 if self.inside else -(-self.size // _BLOCK)


def write(folder: Path, image: Path) -> None:
    """Write `image`, an ext4 file system with the files, folders and symbolic links of `folder`.

    Raises:
        EmulatorError: a file is too large for this writer, or neither of the three.
    """
    nodes = _nodes(folder)
    data = sum(node.blocks for node in nodes)
    layout = _Layout(data, len(nodes))
    place = layout.first_data
    for node in nodes:
        node.start = place
        place += node.blocks
    with image.open("wb") as file:
        file.truncate(layout.blocks * _BLOCK)
        uuid = _written(file, nodes)
        for at, block in layout.metadata(nodes, uuid):
            file.seek(at)
            file.write(block)


def _nodes(folder: Path) -> list[_Node]:
    """Every node, in an order that depends on names alone; their inodes are numbered in it."""
    root = _Node(number=_ROOT, parent=_ROOT, mode=stat.S_IFDIR | 0o755, path=str(folder))
    lost = _Node(number=_FIRST, parent=_ROOT, mode=stat.S_IFDIR | 0o700, path="")
    root.entries.append((b"lost+found", lost))
    nodes, waiting = [root, lost], [root]
    while waiting:
        above = waiting.pop(0)
        with os.scandir(above.path) as listing:
            found = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        for entry in found:
            node = _node(entry, len(nodes) + _FIRST - 1, above.number)
            nodes.append(node)
            above.entries.append((os.fsencode(entry.name), node))
            if stat.S_ISDIR(node.mode):
                waiting.append(node)
    for node in nodes:
        if stat.S_ISDIR(node.mode):
            node.content = _directory(node)
            node.size = len(node.content)
            node.links = 2 + sum(stat.S_ISDIR(each.mode) for _, each in node.entries)
    return nodes


def _node(entry: os.DirEntry[str], number: int, parent: int) -> _Node:
    if entry.is_symlink():
        target = os.fsencode(Path(entry.path).readlink())
        mode = stat.S_IFLNK | 0o777
        return _Node(number=number, parent=parent, mode=mode, path=entry.path, content=target, size=len(target))
    if entry.is_dir():
        return _Node(number=number, parent=parent, mode=stat.S_IFDIR | 0o755, path=entry.path)
    status = entry.stat()
    if not stat.S_ISREG(status.st_mode):
        raise EmulatorError(
            f"{entry.path} cannot be copied to the emulated machine's disk: it is not a file, folder or link.",
            "Remove it from its folder.",
        )
    if status.st_size > LARGEST:
        raise EmulatorError(
            f"{entry.path} cannot be copied to the emulated machine's disk: it is larger than {LARGEST >> 20} MiB.",
            "Run it on the device itself: --target ssh://user@host",
        )
    mode = stat.S_IFREG | (0o755 if status.st_mode & 0o111 else 0o644)
    return _Node(number=number, parent=parent, mode=mode, path=entry.path, size=status.st_size)


def _directory(node: _Node) -> bytes:
    """A folder's blocks; an entry does not cross from one into the next, and the last of each takes what is left."""
    entries = [(b".", node.number, _FOLDER), (b"..", node.parent, _FOLDER)]
    entries += [(name, each.number, _kind(each)) for name, each in node.entries]
    blocks: list[list[bytes]] = [[]]
    room = _BLOCK
    for name, number, kind in entries:
        length = 8 + -(-len(name) // 4) * 4
        if length > room:
            blocks[-1][-1] = _stretched(blocks[-1][-1], room)
            blocks.append([])
            room = _BLOCK
        blocks[-1].append(struct.pack("<IHBB", number, length, len(name), kind) + name.ljust(length - 8, b"\0"))
        room -= length
    blocks[-1][-1] = _stretched(blocks[-1][-1], room)
    return b"".join(entry for block in blocks for entry in block)


def _stretched(entry: bytes, room: int) -> bytes:
    number, length, size, kind = struct.unpack_from("<IHBB", entry)
    return struct.pack("<IHBB", number, length + room, size, kind) + entry[8:] + bytes(room)


def _kind(node: _Node) -> int:
    return _FOLDER if stat.S_ISDIR(node.mode) else _LINK if stat.S_ISLNK(node.mode) else _FILE


def _written(file: IO[bytes], nodes: list[_Node]) -> bytes:
    """Write what the nodes contain; returns a UUID that says what it is."""
    digest = hashlib.sha256()
    for node in nodes:
        content = node.content if not stat.S_ISREG(node.mode) else Path(node.path).read_bytes()
        if len(content) != node.size:
            raise EmulatorError(f"{node.path} changed while it was copied to a disk.", "Try again.")
        digest.update(struct.pack("<IIQ", node.number, node.mode, node.size) + content)
        if not node.inside:
            file.seek(node.start * _BLOCK)
            file.write(content)
    return digest.digest()[:16]


class _Layout:
    """Where everything is: superblock, group descriptors, bitmaps, inodes, data."""

    def __init__(self, data: int, nodes: int) -> None:
        self.groups, overhead = 1, 0
        while True:  # more groups take more room, which may take one more group
            inodes = -(-(nodes + _FIRST) // self.groups)
            self.inodes_per_group = -(-inodes // 16) * 16
            self.descriptors = -(-self.groups * 32 // _BLOCK)
            self.tables = self.inodes_per_group * _INODE // _BLOCK
            overhead = 1 + self.descriptors + self.groups * (2 + self.tables)
            if overhead + data <= self.groups * _GROUP and self.inodes_per_group <= _GROUP:
                break
            self.groups += 1
        self.first_data = overhead
        self.blocks = overhead + data

    def metadata(self, nodes: list[_Node], uuid: bytes) -> Iterator[tuple[int, bytes]]:
        """Offset and content of everything that is not data."""
        used = nodes[-1].number
        yield 1024, self._superblock(used, uuid)
        folders = [node.number for node in nodes if stat.S_ISDIR(node.mode)]
        yield _BLOCK, b"".join(self._descriptor(group, used, folders) for group in range(self.groups))
        bitmaps = 1 + self.descriptors
        for group in range(self.groups):
            yield (bitmaps + group) * _BLOCK, _bits(min(self.blocks - group * _GROUP, _GROUP), _pad(self, group))
            mine = min(max(used - group * self.inodes_per_group, 0), self.inodes_per_group)
            yield (bitmaps + self.groups + group) * _BLOCK, _bits(mine, self.inodes_per_group)
        inodes = (bitmaps + 2 * self.groups) * _BLOCK
        for node in nodes:
            yield inodes + (node.number - 1) * _INODE, _inode(node)

    def _superblock(self, used: int, uuid: bytes) -> bytes:
        total = self.groups * self.inodes_per_group
        block = bytearray(1024)
        struct.pack_into("<IIIIIIII", block, 0, total, self.blocks, 0, 0, total - used, 0, 2, 2)
        struct.pack_into("<IIIII", block, 0x20, _GROUP, _GROUP, self.inodes_per_group, _TIME, _TIME)
        struct.pack_into("<HHHHHHIIII", block, 0x34, 0, 0xFFFF, 0xEF53, 1, 1, 0, _TIME, 0, 0, 1)
        struct.pack_into("<IHHIII", block, 0x54, _FIRST, _INODE, 0, _COMPATIBLE, _INCOMPATIBLE, _READ_ONLY)
        block[0x68:0x78] = uuid
        struct.pack_into("<I", block, 0x108, _TIME)
        struct.pack_into("<HH", block, 0x15C, 32, 32)
        block[0x174] = max(self.groups - 1, 1).bit_length()  # one flexible group holds all
        return bytes(block)

    def _descriptor(self, group: int, used: int, folders: list[int]) -> bytes:
        bitmaps = 1 + self.descriptors
        first = group * self.inodes_per_group
        free = min(max(first + self.inodes_per_group - used, 0), self.inodes_per_group)
        here = sum(first < number <= first + self.inodes_per_group for number in folders)
        table = bitmaps + 2 * self.groups + group * self.tables
        places = (bitmaps + group, bitmaps + self.groups + group, table)
        return struct.pack("<IIIHHHHIHHHH", *places, 0, free, here, 0, 0, 0, 0, 0, 0)


def _pad(layout: _Layout, group: int) -> int:
    """Bits of a group's block bitmap that are blocks; those of the last group end with the disk."""
    return min(layout.blocks - group * _GROUP, _GROUP)


def _bits(used: int, valid: int) -> bytes:
    """A block of bitmap: `used` bits are set, and all from `valid` on, which stand for nothing."""
    bits = (1 << used) - 1 | ((1 << _GROUP) - 1) >> valid << valid
    return bits.to_bytes(_BLOCK, "little")


def _inode(node: _Node) -> bytes:
    inode = bytearray(_INODE)
    flags = 0 if node.inside else _EXTENTS_FLAG
    struct.pack_into("<HHIIIIIHHII", inode, 0, node.mode, 0, node.size, _TIME, _TIME, _TIME, 0, 0, node.links,
                     node.blocks * (_BLOCK // 512), flags)  # fmt: skip
    inode[0x28:0x64] = node.content.ljust(60, b"\0") if node.inside else _extents(node)
    struct.pack_into("<H", inode, 0x80, 32)
    return bytes(inode)


def _extents(node: _Node) -> bytes:
    starts = range(0, node.blocks, _EXTENT)
    tree = struct.pack("<HHHHI", 0xF30A, len(starts), _EXTENTS, 0, 0)
    for at in starts:
        tree += struct.pack("<IHHI", at, min(node.blocks - at, _EXTENT), 0, node.start + at)
    return tree.ljust(60, b"\0")
