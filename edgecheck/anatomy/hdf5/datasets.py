"""HDF5's datasets: type and shape, and where their bytes are."""

from __future__ import annotations

from math import ceil, prod
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.hdf5.headers import (
    DATASPACE,
    DATATYPE,
    EXTERNAL,
    FILTERS,
    H5,
    LAYOUT,
    RESERVED,
    Message,
    compact_data,
)
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNKS = Label(Kind.STRUCTURE, "chunk index")
_FILTERS = {1: "zlib", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
_CONTIGUOUS, _CHUNKED = 1, 2
_INTEGER, _FLOAT, _STRING, _ENUM, _VARIABLE = 0, 1, 3, 8, 9
_DEEPEST = 32
_SINGLE_CHUNK, _IMPLICIT = 1, 2


class DType(NamedTuple):
    """A datatype."""

    name: str
    size: int
    """Bytes of one element in the file."""
    swapped: bool
    variable: bool
    """Whether elements are references into a global heap."""


class Dataset(NamedTuple):
    """What the messages of a dataset say."""

    dtype: DType
    shape: tuple[int, ...]
    extents: tuple[tuple[int, int], ...]
    """Starts and sizes of its bytes."""
    encoding: str


def read_dataset(h5: H5, messages: list[Message]) -> Dataset | None:
    """The dataset that these messages describe, or `None` when they describe something else."""
    by_kind = {message.kind: message for message in messages}
    if not {DATASPACE, DATATYPE, LAYOUT} <= by_kind.keys():
        return None
    if EXTERNAL in by_kind:
        raise Unread("its datasets keep their numbers in other files")
    dtype = read_dtype(h5, by_kind[DATATYPE].at)
    shape = read_shape(h5, by_kind[DATASPACE].at)
    encoding = _filters(h5, by_kind[FILTERS]) if FILTERS in by_kind else ""
    extents = tuple(_extents(h5, by_kind[LAYOUT], dtype.size, shape, filtered=bool(encoding)))
    return Dataset(dtype, shape, extents, encoding or ("big-endian" if dtype.swapped else ""))


def read_dtype(h5: H5, at: int) -> DType:
    """A datatype message."""
    kind, bits, size = h5.span.u8(at) & 15, h5.span.u8(at + 1), h5.span.u32(at + 4)
    swapped = bool(bits & 1) and size > 1
    if kind == _INTEGER:
        return DType(f"{'int' if bits & 8 else 'uint'}{8 * size}", size, swapped, variable=False)
    if kind == _FLOAT:
        brain = size == 2 and h5.span.u8(at + 13) == 8  # noqa: PLR2004 - bits of the exponent
        return DType("bfloat16" if brain else f"float{8 * size}", size, swapped, variable=False)
    names = {_STRING: "string", _ENUM: "bool" if size == 1 else f"int{8 * size}", _VARIABLE: "string"}
    return DType(names.get(kind, "bytes"), size, swapped=False, variable=kind == _VARIABLE)


def read_shape(h5: H5, at: int) -> tuple[int, ...]:
    """A dataspace message."""
    version, rank = h5.span.u8(at), h5.span.u8(at + 1)
    start = at + (8 if version == 1 else 4)
    return tuple(h5.length(start + index * h5.length_size) for index in range(rank))


def _filters(h5: H5, message: Message) -> str:
    """The names of the filters, in the order in which they were applied."""
    version, count = h5.span.u8(message.at), h5.span.u8(message.at + 1)
    at = message.at + (8 if version == 1 else 2)
    names = []
    for _ in range(count):
        number = h5.span.u16(at)
        names.append(_FILTERS.get(number, f"filter {number}"))
        has_name = version == 1 or number >= 256  # noqa: PLR2004 - filters of the library itself go unnamed
        name_size = h5.span.u16(at + 2) if has_name else 0
        values = h5.span.u16(at + (6 if has_name else 4))
        at += (8 if has_name else 6) + name_size + 4 * values + (4 * (values % 2) if version == 1 else 0)
    return "+".join(names)


def _extents(
    h5: H5, message: Message, item: int, shape: tuple[int, ...], *, filtered: bool
) -> Iterator[tuple[int, int]]:
    """Starts and sizes of a dataset's bytes, by its layout message."""
    compact = compact_data(h5.span, message)
    if compact is not None:
        yield compact
        return
    version = h5.span.u8(message.at)
    if version < 3:  # noqa: PLR2004 - the layouts of before HDF5 1.6
        kind, rank, place = h5.span.u8(message.at + 2), h5.span.u8(message.at + 1), message.at + 8
    else:
        kind, rank, place = h5.span.u8(message.at + 1), h5.span.u8(message.at + 2), message.at + 2
    if kind == _CONTIGUOUS:
        address = h5.address(place)
        if address is not None:
            yield address, item * prod(shape)
    elif kind == _CHUNKED and version < 4:  # noqa: PLR2004 - chunks indexed by a tree
        address = h5.address(place + (1 if version == 3 else 0))  # noqa: PLR2004
        if address is not None:
            yield from _chunks(h5, address, rank, 0)
    elif kind == _CHUNKED:
        yield from _newer_chunks(h5, message, shape, filtered=filtered)
    else:
        raise Unread(f"its datasets have a layout of class {kind}")


def _chunks(h5: H5, at: int, rank: int, depth: int) -> Iterator[tuple[int, int]]:
    """A B-tree of chunks; `rank` counts the bytes of an element as a dimension."""
    if depth > _DEEPEST:
        raise Damage(f"its tree at byte {at:,} has no end")
    h5.visit()
    h5.expect(at, b"TREE")
    level, used = h5.span.u8(at + 5), h5.span.u16(at + 6)
    head, key = 8 + 2 * h5.offset_size, 8 + 8 * rank
    step = key + h5.offset_size
    whole = head + 2 * h5.chunk_k * step + key
    filled = min(whole, head + used * step + key)
    h5.span.sub(at, whole)
    h5.region.claim(at, filled, _CHUNKS)
    h5.region.claim(at + filled, whole - filled, RESERVED)
    for place in range(at + head, at + head + used * step, step):
        child = h5.address(place + key)
        if child is None:
            continue
        if level:
            yield from _chunks(h5, child, rank, depth + 1)
        else:
            yield child, h5.span.u32(place)


def _newer_chunks(h5: H5, message: Message, shape: tuple[int, ...], *, filtered: bool) -> Iterator[tuple[int, int]]:
    """Layout version 4, with one chunk or with chunks in a row; others have indices that are not read here."""
    flags, rank, width = (h5.span.u8(message.at + at) for at in (2, 3, 4))
    sizes = [h5.span.uint(message.at + 5 + index * width, width) for index in range(rank)]
    place = message.at + 5 + rank * width
    index, place = h5.span.u8(place), place + 1
    size = prod(sizes)
    if index == _SINGLE_CHUNK and filtered and flags & 2:
        size, place = h5.length(place), place + h5.length_size + 4
    elif index == _IMPLICIT:
        size *= prod(ceil(length / max(chunk, 1)) for length, chunk in zip(shape, sizes, strict=False))
    elif index != _SINGLE_CHUNK:
        raise Unread(f"its chunks have an index of type {index} (h5py's libver='latest')")
    address = h5.address(place)
    if address is not None:
        yield address, size
