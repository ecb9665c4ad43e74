"""HDF5's datasets: type and shape, and where their bytes are.

HDF5 File Format Specification 3.0, sections IV.A.2 (messages) and III.A.1 (B-trees of chunks)
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, prod
from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import RECORD, checked_shape
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

_CHUNKS = Label(Kind.STRUCTURE, "chunk index")
#: Filter identification values; those of the library itself, and h5py's.
_FILTERS = {1: "zlib", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
#: The first filter identification value that is not reserved for the library.
_FIRST_FOREIGN_FILTER = 256
#: Layout classes; 0 is compact, 3 virtual.
_CONTIGUOUS, _CHUNKED = 1, 2
#: Datatype classes: fixed-point, floating-point, string, enumeration, variable-length.
_INTEGER, _FLOAT, _STRING, _ENUM, _VARIABLE = 0, 1, 3, 8, 9
#: Levels of a B-tree.
_DEEPEST = 32
#: Chunk indexing types of layout version 4 (appendix C); fixed and extensible arrays and newer B-trees are not read.
_SINGLE_CHUNK, _IMPLICIT = 1, 2
#: Bit 1 of the flags of a chunked layout of version 4: the single chunk is filtered.
_SINGLE_INDEX_WITH_FILTER = 1 << 1


class DType(NamedTuple):
    """The type of a dataset's elements, under the name that all formats share here."""

    name: str
    size: int
    """Bytes of one element in the file."""
    swapped: bool
    """Whether elements are big-endian."""
    variable: bool
    """Whether elements are references into a global heap."""


class Dataset(NamedTuple):
    """A dataset, as its messages describe it."""

    dtype: DType
    shape: tuple[int, ...]
    extents: tuple[tuple[int, int], ...]
    """Starts and sizes of its bytes."""
    encoding: str


def read_dataset(h5: H5, messages: list[Message]) -> Dataset | None:
    """The dataset that these messages describe, or `None` when they describe something else.

    Raises:
        Damage: a message is broken, or leads outside the file.
        Unread: the data is in other files, or chunked in a way that is not read here.
    """
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
    """The datatype message at `at` (IV.A.2.d)."""
    # class (low four bits) and version; class bit field (its first byte is enough); size
    kind, bits, size = h5.span.u8(at) & 0x0F, h5.span.u8(at + 1), h5.span.u32(at + 4)
    swapped = bool(bits & 1) and size > 1  # bit 0: byte order, for integers and floats
    if kind == _INTEGER:
        signed = bits & (1 << 3)  # bit 3: two's complement
        return DType(f"{'int' if signed else 'uint'}{8 * size}", size, swapped, variable=False)
    if kind == _FLOAT:
        brain = size == 2 and h5.span.u8(at + 13) == 8  # noqa: PLR2004 - exponent size, in bits
        return DType("bfloat16" if brain else f"float{8 * size}", size, swapped, variable=False)
    names = {_STRING: "string", _ENUM: "bool" if size == 1 else f"int{8 * size}", _VARIABLE: "string"}
    return DType(names.get(kind, "bytes"), size, swapped=False, variable=kind == _VARIABLE)


def read_shape(h5: H5, at: int) -> tuple[int, ...]:
    """The dataspace message at `at` (IV.A.2.b)."""
    version, rank = h5.span.u8(at), h5.span.u8(at + 1)  # version, dimensionality
    start = at + (8 if version == 1 else 4)  # after the flags, and reserved bytes or the type
    return checked_shape(tuple(h5.length(start + index * h5.length_size) for index in range(rank)))


def _filters(h5: H5, message: Message) -> str:
    """The names of the filters, in the order in which they were applied (IV.A.2.l)."""
    version, count = h5.span.u8(message.at), h5.span.u8(message.at + 1)  # version, number of filters
    at = message.at + (8 if version == 1 else 2)
    names = []
    for _ in range(count):
        number = h5.span.u16(at)  # filter identification value
        h5.span.work.spend(RECORD)
        names.append(_FILTERS.get(number, f"filter {number}"))
        has_name = version == 1 or number >= _FIRST_FOREIGN_FILTER
        name_size = h5.span.u16(at + 2) if has_name else 0  # name length; flags follow
        values = h5.span.u16(at + (6 if has_name else 4))  # number of client data values, of 4 bytes each
        at += (8 if has_name else 6) + name_size + 4 * values
        at += 4 if version == 1 and values % 2 else 0  # padding
    return "+".join(names)


def _extents(
    h5: H5, message: Message, item: int, shape: tuple[int, ...], *, filtered: bool
) -> Iterator[tuple[int, int]]:
    """Starts and sizes of a dataset's bytes, by its data layout message (IV.A.2.i)."""
    compact = compact_data(h5.span, message)
    if compact is not None:
        yield compact
        return
    version = h5.span.u8(message.at)
    # layout class; dimensionality (of chunked layouts); where the properties of the class begin
    if version < 3:  # noqa: PLR2004 - the layouts before HDF5 1.6
        kind, rank, place = h5.span.u8(message.at + 2), h5.span.u8(message.at + 1), message.at + 8
    else:
        kind, rank, place = h5.span.u8(message.at + 1), h5.span.u8(message.at + 2), message.at + 2
    if kind == _CONTIGUOUS:
        address = h5.address(place)
        if address is not None:
            yield address, item * prod(shape)
    elif kind == _CHUNKED and version < 4:  # noqa: PLR2004 - chunks indexed by a B-tree of version 1
        address = h5.address(place + (1 if version == 3 else 0))  # noqa: PLR2004 - after the dimensionality
        if address is not None:
            yield from _chunks(h5, address, rank, 0)
    elif kind == _CHUNKED:
        yield from _newer_chunks(h5, message, shape, filtered=filtered)
    else:
        raise Unread(f"its datasets have a layout of class {kind}")


def _chunks(h5: H5, at: int, rank: int, depth: int) -> Iterator[tuple[int, int]]:
    """The chunks of a B-tree (III.A.1, node type 1); `rank` counts the bytes of an element as a dimension."""
    if depth > _DEEPEST:
        raise Damage(f"its tree at byte {at:,} has no end")
    h5.enter(at)
    h5.expect(at, b"TREE")
    level, used = h5.span.u8(at + 5), h5.span.u16(at + 6)  # node level, entries used
    head = 8 + 2 * h5.offset_size  # with the addresses of both siblings
    key = 8 + 8 * rank  # size of the chunk, filter mask (4 bytes each); its offset in each dimension
    step = key + h5.offset_size
    allocated = head + 2 * h5.chunk_k * step + key  # keys and children alternate, and end with a key
    filled = min(allocated, head + used * step + key)
    h5.span.sub(at, allocated)
    h5.region.claim(at, filled, _CHUNKS)
    h5.region.claim(at + filled, allocated - filled, RESERVED)
    for place in range(at + head, at + head + used * step, step):
        child = h5.address(place + key)
        if child is None:
            continue
        if level:
            yield from _chunks(h5, child, rank, depth + 1)
        else:
            h5.span.work.spend(2 * RECORD)
            yield child, h5.span.u32(place)


def _newer_chunks(h5: H5, message: Message, shape: tuple[int, ...], *, filtered: bool) -> Iterator[tuple[int, int]]:
    """The chunks of layout version 4: a single one, or chunks in a row; other indexes are not read here."""
    # flags, dimensionality, bytes of each dimension's size
    flags, rank, width = (h5.span.u8(message.at + at) for at in (2, 3, 4))
    sizes = [h5.span.uint(message.at + 5 + index * width, width) for index in range(rank)]  # the last: of an element
    place = message.at + 5 + rank * width
    index, place = h5.span.u8(place), place + 1  # chunk indexing type
    size = prod(checked_shape(tuple(sizes)))
    if index == _SINGLE_CHUNK and filtered and flags & _SINGLE_INDEX_WITH_FILTER:
        size, place = h5.length(place), place + h5.length_size + 4  # size of the filtered chunk; filter mask
    elif index == _IMPLICIT:
        size *= prod(ceil(length / max(chunk, 1)) for length, chunk in zip(shape, sizes, strict=False))
    elif index != _SINGLE_CHUNK:
        raise Unread(f"its chunks have an index of type {index} (h5py's libver='latest')")
    address = h5.address(place)
    if address is not None:
        yield address, size
