"""HDF5's groups: names and addresses of what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.hdf5.headers import H5, LINK, LINK_INFO, RESERVED, SYMBOL_TABLE, Message
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS = Label(Kind.STRUCTURE, "groups")
_NAMES = Label(Kind.STRUCTURE, "names")
_HARD_LINK = 0
_DEEPEST = 32


def group_entries(h5: H5, messages: list[Message]) -> Iterator[tuple[str, int]]:
    """Name and header address of each object in the group; its tables are entered."""
    for message in messages:
        if message.kind == SYMBOL_TABLE:
            tree, heap = h5.address(message.at), h5.address(message.at + h5.offset_size)
            if tree is not None and heap is not None:
                yield from _tree(h5, tree, _heap(h5, heap), 0)
        elif message.kind == LINK:
            yield from _link(h5, message)
        elif message.kind == LINK_INFO and _is_dense(h5, message):
            raise Unread("its groups keep their links in a heap (h5py's track_order or libver='latest')")


def _heap(h5: H5, at: int) -> tuple[int, int]:
    """Start and size of a local heap's names; its free blocks are reserved space."""
    h5.expect(at, b"HEAP")
    size, free = h5.length(at + 8), h5.length(at + 8 + h5.length_size)
    start = h5.address(at + 8 + 2 * h5.length_size)
    if start is None:
        raise Damage(f"its heap at byte {at:,} has no names")
    h5.region.claim(at, 8 + 2 * h5.length_size + h5.offset_size, _GROUPS)
    h5.span.sub(start, size)
    blocks: list[tuple[int, int]] = []
    while free + 2 * h5.length_size <= size and free > 1:  # 1 ends the list
        h5.visit()
        following, length = h5.length(start + free), h5.length(start + free + h5.length_size)
        length = min(length, size - free)
        blocks.append((start + free, length))
        h5.region.claim(start + free, length, RESERVED)
        free = following
    h5.region.claim_around(start, size, blocks, _NAMES)
    return start, size


def _tree(h5: H5, at: int, heap: tuple[int, int], depth: int) -> Iterator[tuple[str, int]]:
    """A B-tree of symbol nodes; nodes are as large as their most entries need, however few they have."""
    if depth > _DEEPEST:
        raise Damage(f"its tree at byte {at:,} has no end")
    h5.visit()
    h5.expect(at, b"TREE")
    level, used = h5.span.u8(at + 5), h5.span.u16(at + 6)
    head = 8 + 2 * h5.offset_size
    step = h5.length_size + h5.offset_size
    whole = head + 2 * h5.internal_k * step + h5.length_size
    filled = min(whole, head + used * step + h5.length_size)
    h5.span.sub(at, whole)
    h5.region.claim(at, filled, _GROUPS)
    h5.region.claim(at + filled, whole - filled, RESERVED)
    for index in range(used):
        child = h5.address(at + head + h5.length_size + index * step)
        if child is None:
            raise Damage(f"its tree at byte {at:,} has an entry that leads nowhere")
        yield from _tree(h5, child, heap, depth + 1) if level else _symbols(h5, child, heap)


def _symbols(h5: H5, at: int, heap: tuple[int, int]) -> Iterator[tuple[str, int]]:
    h5.visit()
    h5.expect(at, b"SNOD")
    used = h5.span.u16(at + 6)
    step = 2 * h5.offset_size + 24
    whole, filled = 8 + 2 * h5.leaf_k * step, 8 + used * step
    h5.span.sub(at, max(whole, filled))
    h5.region.claim(at, filled, _GROUPS)
    h5.region.claim(at + filled, whole - filled, RESERVED)
    for entry in range(at + 8, at + filled, step):
        address = h5.address(entry + h5.offset_size)
        if address is not None:  # a symbolic link has none
            yield _name(h5, heap, h5.span.uint(entry, h5.offset_size)), address


def _name(h5: H5, heap: tuple[int, int], offset: int) -> str:
    start, size = heap
    if offset >= size:
        raise Damage(f"a name is {offset:,} bytes into a heap of {size:,}")
    return h5.span.text(start + offset, min(size - offset, 1024)).partition("\0")[0]


def _link(h5: H5, message: Message) -> Iterator[tuple[str, int]]:
    """A link message of a group of the newer kind."""
    at = message.at
    flags = h5.span.u8(at + 1)
    at += 2
    kind = _HARD_LINK
    if flags & 8:
        kind, at = h5.span.u8(at), at + 1
    at += 8 if flags & 4 else 0
    at += 1 if flags & 16 else 0
    width = 1 << (flags & 3)
    size = h5.span.uint(at, width)
    name = h5.span.text(at + width, size)
    address = h5.address(at + width + size) if kind == _HARD_LINK else None
    if address is not None:
        yield name, address


def _is_dense(h5: H5, message: Message) -> bool:
    flags = h5.span.u8(message.at + 1)
    return h5.address(message.at + 2 + (8 if flags & 1 else 0)) is not None
