"""HDF5's groups: names and addresses of their members, and what leads from there to other files.

HDF5 File Format Specification 3.0, sections III.A.1 to III.D, IV.A.2.c and IV.A.2.g
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html).
"""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import RECORD, cut
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.hdf5.headers import (
    EXTERNAL,
    H5,
    LAYOUT,
    LINK,
    LINK_INFO,
    RESERVED,
    SYMBOL_TABLE,
    Message,
    read_header,
)
from edgecheck.anatomy.values import Kind

_GROUPS = Label(Kind.STRUCTURE, "groups")
_NAMES = Label(Kind.STRUCTURE, "names")
#: Link types of a link message; links of other types, external ones among them, lead to other files.
_HARD_LINK, _SOFT_LINK = 0, 1
#: Levels of a B-tree.
_DEEPEST = 32


def group_entries(h5: H5, messages: list[Message]) -> Iterator[tuple[str, int]]:
    """Name and header address of each object in the group; its tables are claimed.

    Raises:
        Damage: a table is broken, or leads outside the file.
        Unread: the group keeps its links in a fractal heap.
    """
    for message in messages:
        if message.kind == SYMBOL_TABLE:  # version 1 B-tree address, local heap address
            tree, heap = h5.address(message.at), h5.address(message.at + h5.offset_size)
            if tree is not None and heap is not None:
                yield from _tree(h5, tree, _heap(h5, heap), 0)
        elif message.kind == LINK:
            yield from _link(h5, message)
        elif message.kind == LINK_INFO and _is_dense(h5, message):
            raise Unread("its groups keep their links in a heap (h5py's track_order or libver='latest')")


def _heap(h5: H5, at: int) -> tuple[int, int]:
    """Start and size of the names in a local heap (III.D); its free blocks are reserved space."""
    h5.expect(at, b"HEAP")
    # data segment size, offset to the head of the free list, address of the data segment
    size, free = h5.length(at + 8), h5.length(at + 8 + h5.length_size)
    start = h5.address(at + 8 + 2 * h5.length_size)
    if start is None:
        raise Damage(f"its heap at byte {at:,} has no names")
    h5.region.claim(at, 8 + 2 * h5.length_size + h5.offset_size, _GROUPS)
    h5.span.sub(start, size)
    blocks: list[tuple[int, int]] = []
    while free + 2 * h5.length_size <= size and free > 1:  # 1 ends the list
        h5.visit()
        # offset to the next free block, size of this one
        following, length = h5.length(start + free), h5.length(start + free + h5.length_size)
        length = min(length, size - free)
        blocks.append((start + free, length))
        h5.region.claim(start + free, length, RESERVED)
        free = following
    h5.region.claim_around(start, size, blocks, _NAMES)
    return start, size


def _tree(h5: H5, at: int, heap: tuple[int, int], depth: int) -> Iterator[tuple[str, int]]:
    """The entries of a B-tree of symbol table nodes (III.A.1, node type 0); every node has its full size allocated."""
    if depth > _DEEPEST:
        raise Damage(f"its tree at byte {at:,} has no end")
    h5.enter(at)
    h5.expect(at, b"TREE")
    level, used = h5.span.u8(at + 5), h5.span.u16(at + 6)  # node level, entries used
    head = 8 + 2 * h5.offset_size  # with the addresses of both siblings
    step = h5.length_size + h5.offset_size  # key (an offset into the heap), child
    allocated = head + 2 * h5.internal_k * step + h5.length_size  # and a last key
    filled = min(allocated, head + used * step + h5.length_size)
    h5.span.sub(at, allocated)
    h5.region.claim(at, filled, _GROUPS)
    h5.region.claim(at + filled, allocated - filled, RESERVED)
    for index in range(used):
        child = h5.address(at + head + h5.length_size + index * step)
        if child is None:
            raise Damage(f"its tree at byte {at:,} has an entry that leads nowhere")
        yield from _tree(h5, child, heap, depth + 1) if level else _symbols(h5, child, heap)


def _symbols(h5: H5, at: int, heap: tuple[int, int]) -> Iterator[tuple[str, int]]:
    """The entries of a symbol table node (III.B, III.C)."""
    h5.enter(at)
    h5.expect(at, b"SNOD")
    used = h5.span.u16(at + 6)  # number of symbols
    step = 2 * h5.offset_size + 24  # link name offset, object header address; cache type, reserved, scratch pad
    allocated, filled = 8 + 2 * h5.leaf_k * step, 8 + used * step
    h5.span.sub(at, max(allocated, filled))
    h5.region.claim(at, filled, _GROUPS)
    h5.region.claim(at + filled, allocated - filled, RESERVED)
    for entry in range(at + 8, at + filled, step):
        address = h5.address(entry + h5.offset_size)
        if address is not None:  # a soft link has none
            yield _name(h5, heap, h5.span.uint(entry, h5.offset_size)), address


def _name(h5: H5, heap: tuple[int, int], offset: int) -> str:
    start, size = heap
    if offset >= size:
        raise Damage(f"a name is {offset:,} bytes into a heap of {size:,}")
    return h5.span.text(start + offset, min(size - offset, 1024)).partition("\0")[0]


def _foreign_links(h5: H5, messages: list[Message]) -> Iterator[str]:
    """The names of the group's links that lead to other files.

    Groups with a table of symbols cannot have any; a heap of links is refused by `group_entries`.
    """
    for message in messages:
        if message.kind == LINK:
            kind, name, _ = _parts(h5, message)
            if kind not in (_HARD_LINK, _SOFT_LINK):
                yield name


def _link(h5: H5, message: Message) -> Iterator[tuple[str, int]]:
    kind, name, value_at = _parts(h5, message)
    address = h5.address(value_at) if kind == _HARD_LINK else None
    if address is not None:
        yield name, address


def _parts(h5: H5, message: Message) -> tuple[int, str, int]:
    """Type, name and the place of the value of a link message (IV.A.2.g), which newer groups have."""
    at = message.at
    flags = h5.span.u8(at + 1)  # after the version
    at += 2
    kind = _HARD_LINK
    if flags & (1 << 3):  # the link type is stored
        kind, at = h5.span.u8(at), at + 1
    at += 8 if flags & (1 << 2) else 0  # the creation order is stored
    at += 1 if flags & (1 << 4) else 0  # the character set of the name is stored
    width = 1 << (flags & 0b11)  # bytes of the field "length of link name"
    size = h5.span.uint(at, width)
    return kind, h5.span.text(at + width, size), at + width + size


def _is_dense(h5: H5, message: Message) -> bool:
    """Whether a link info message (IV.A.2.c) names a fractal heap."""
    flags = h5.span.u8(message.at + 1)
    return h5.address(message.at + 2 + (8 if flags & 1 else 0)) is not None  # bit 0: creation order is tracked


# HDF5 File Format Specification 3.0, sections IV.A.2.g (links), IV.A.2.h (external data files) and IV.A.2.i (layouts)
# (https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html).

#: The layout class of a dataset that is put together from others.
_VIRTUAL = 3
#: The first version of the layout message that has this class; its class is next to the version.
_LAYOUT_4 = 4


def leads_outside(region: Region) -> Iterator[str]:
    """Each link and dataset of an HDF5 file that would make the library open another file, in words.

    Raises:
        Damage: the file is broken.
        Unread: a group keeps its links in a heap, which is not read here.
    """
    h5 = H5(region)
    waiting, seen = [("", h5.root)], {h5.root}
    while waiting:
        path, address = waiting.pop()
        messages = read_header(h5, address)
        yield from (f"the link {cut(f'{path}/{name}')}" for name in _foreign_links(h5, messages))
        if how := _elsewhere(h5, messages):
            yield f"the {how} dataset {cut(path)}"
        for name, member in group_entries(h5, messages):
            if member not in seen:
                seen.add(member)
                h5.span.work.spend(2 * RECORD + len(path) + len(name))
                waiting.append((f"{path}/{name}", member))


def _elsewhere(h5: H5, messages: list[Message]) -> str:
    """How a dataset's numbers are in other files; empty if they are in this one, or it is not a dataset."""
    for message in messages:
        if message.kind == EXTERNAL:
            return "external"
        if message.kind == LAYOUT and h5.span.u8(message.at) >= _LAYOUT_4 and h5.span.u8(message.at + 1) == _VIRTUAL:
            return "virtual"
    return ""
