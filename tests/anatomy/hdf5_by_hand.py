"""HDF5 files that no library would write, built by hand: superblock and object headers of version 2."""

from __future__ import annotations

import struct

DATASPACE, DATATYPE, LINK, LAYOUT, CONTINUATION = 0x01, 0x03, 0x06, 0x08, 0x10
#: Where the root group's header begins, and where the messages of a header begin in it.
ROOT, HEAD = 48, 10
#: A datatype message: float32.
FLOAT32 = b"\x11\x20\x1f\0" + struct.pack("<I", 4) + bytes(12)


def file(body: bytes) -> bytes:
    """A file of these bytes after the superblock; the root group's header is first."""
    ends = struct.pack("<QQQQI", 0, 2**64 - 1, ROOT + len(body), ROOT, 0)
    return b"\x89HDF\r\n\x1a\n\x02\x08\x08\0" + ends + body


def header(*messages: bytes) -> bytes:
    """An object header with these messages."""
    content = b"".join(messages)
    return b"OHDR\x02\x02" + struct.pack("<I", len(content)) + content + bytes(4)


def message(kind: int, content: bytes) -> bytes:
    return struct.pack("<BHB", kind, len(content), 0) + content


def link(name: str, address: int) -> bytes:
    """A hard link."""
    return message(LINK, b"\x01\0" + bytes([len(name)]) + name.encode() + struct.pack("<Q", address))


def dataset(count: int, layout: bytes) -> bytes:
    """The header of a dataset of so many numbers."""
    space = b"\x02\x01\0\x01" + struct.pack("<Q", count)
    return header(message(DATASPACE, space), message(DATATYPE, FLOAT32), message(LAYOUT, layout))


def contiguous(address: int, size: int) -> bytes:
    """The layout of numbers in one place."""
    return b"\x03\x01" + struct.pack("<QQ", address, size)


def overlapping() -> bytes:
    """Two datasets of four numbers, the second of which begins in the middle of the first."""
    names = ("a", "b")
    group_size = len(header(*(link(name, 0) for name in names)))
    size = len(dataset(4, contiguous(0, 16)))
    first = ROOT + group_size
    numbers = first + 2 * size
    group = header(*(link(name, first + at * size) for at, name in enumerate(names)))
    return file(group + b"".join(dataset(4, contiguous(numbers + 8 * at, 16)) for at in (0, 1)) + bytes(24))


def continues_in_itself() -> bytes:
    """A header whose second block names itself as the next."""
    size = 8 + 20  # signature and checksum; a continuation message
    block = ROOT + len(header(message(CONTINUATION, bytes(16))))
    onwards = message(CONTINUATION, struct.pack("<QQ", block, size))
    return file(header(onwards) + b"OCHK" + onwards + bytes(4))


def overlapping_names(count: int, size: int) -> bytes:
    """A group of links, each of whose names claims the same bytes and more."""
    one = message(LINK, b"\x01\x03" + struct.pack("<Q", size) + bytes(8))
    return file(header(one * count) + b"n" * size + bytes(64))


def shared_leaf(entries: int) -> bytes:
    """A dataset in chunks whose index names one node again and again, on each of many levels."""
    group_size = len(header(link("a", 0)))
    tree = ROOT + group_size + len(dataset(4, b"\x03\x02\x02" + struct.pack("<QII", 0, 4, 4)))
    key, step = 24, 32
    allocated = 24 + 64 * step + key
    levels = []
    for level in range(20, -1, -1):
        child = tree + allocated * (21 - level)
        node = b"TREE\x01" + bytes([level]) + struct.pack("<HQQ", entries, 2**64 - 1, 2**64 - 1)
        node += (bytes(key) + struct.pack("<Q", child)) * entries
        levels.append(node.ljust(allocated, b"\0"))
    layout = b"\x03\x02\x02" + struct.pack("<QII", tree, 4, 4)
    return file(header(link("a", ROOT + group_size)) + dataset(4, layout) + b"".join(levels) + bytes(64))
