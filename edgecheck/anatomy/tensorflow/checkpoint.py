"""TensorFlow's checkpoints: an index of variables, shards of data, and the graph of objects that names them.

The index is a sorted table of LevelDB (https://github.com/google/leveldb/blob/main/doc/table_format.md); its values are
the messages of tensorflow/core/protobuf/tensor_bundle.proto. The graph is in trackable_object_graph.proto next to it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import (
    MOST_DIMENSIONS,
    RECORD,
    TEXT,
    check_size,
    check_tensors,
    checked_shape,
)
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.dtypes import is_float, is_quantised
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import FIXED32, Field, fields, signed, text, varint
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Kind, Role, Tensor

#: DataType, under the names that all formats share here; quantised types by their integers.
_TYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 11: "int8", 12: "uint8", 13: "int32", 14: "bfloat16", 15: "int16", 16: "uint16",
    17: "uint16", 18: "complex128", 19: "float16", 20: "resource", 21: "variant", 22: "uint32", 23: "uint64",
    24: "float8_e5m2", 25: "float8_e4m3fn", 29: "int4", 30: "uint4",
}  # fmt: skip


def type_name(number: int) -> str:
    """The name of a DataType."""
    return _TYPES.get(number, f"type{number}")


def shape_of(data: mmap.mmap | bytes, message: Field) -> tuple[int, ...]:
    """A TensorShapeProto; open dimensions are 0."""
    sizes: list[int] = []
    for dimension in fields(data, message.start, message.stop):
        if dimension.number == 2:  # noqa: PLR2004 - dim
            numbers = {field.number: field.value for field in fields(data, dimension.start, dimension.stop)}
            sizes.append(max(0, signed(numbers.get(1, 0))))  # size; -1 is open
        if len(sizes) > MOST_DIMENSIONS:
            break
    return checked_shape(tuple(sizes))


def role_of(dtype: str) -> Role:
    """What a variable of this type is for."""
    if dtype == "string":
        return Role.VOCABULARY
    return Role.WEIGHT if is_float(dtype) or is_quantised(dtype) else Role.CONSTANT


_BLOCKS = Label(Kind.STRUCTURE, "index of variables")
_NAMES = Label(Kind.STRUCTURE, "object graph")
#: The key of the TrackableObjectGraph, which names the variables.
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
#: How the keys of variables begin that only training needs, and what those of the optimiser contain.
_TRAINING, _SLOT = ("optimizer/", "keras_api/metrics/", "save_counter"), "/.OPTIMIZER_SLOT/"
_MOST_SHARDS = 100_000

#: The footer of the index: two block handles, padded to 40 bytes, and the magic number.
_FOOTER_SIZE, _HANDLES_SIZE = 48, 40
_MAGIC = 0xDB4775248B80FB57
#: After each block: its type (the compression), and a CRC of 4 bytes.
_TRAILER_SIZE = 5


class _Entry(NamedTuple):
    """A variable, as a BundleEntryProto describes it."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    """Where its bytes are in the shard."""
    size: int
    checksum: int
    """CRC-32C of its bytes; -1 when there is none."""


def read_checkpoint(files: Files, prefix: str) -> list[Tensor]:
    """The variables of the checkpoint whose files begin with `prefix`.

    Raises:
        Damage: the index is broken, or points beyond its shards.
    """
    index = files.open(f"{prefix}.index")
    shards, entries = 0, list[_Entry]()
    for key, (start, stop) in _read_table(index):
        if key:
            entries.append(_entry(index, key.decode("utf-8", "replace"), start, stop))
        else:  # BundleHeaderProto
            header = {field.number: field.value for field in fields(index.span.data, start, stop)}
            shards = header.get(1, 0)  # num_shards
    if shards > _MOST_SHARDS:
        raise Damage(f"its index claims {shards:,} shards")
    names = _names(files, prefix, entries, shards)
    owners, seen, tensors = Owners(), dict[tuple[object, ...], str](), list[Tensor]()
    for entry in entries:
        if entry.key != _OBJECT_GRAPH and entry.size:
            region = _shard(files, prefix, entry.shard, shards)
            tensors.append(_tensor(entry, names.get(entry.key, ""), (region, owners), seen))
    return tensors


def _entry(index: Region, key: str, start: int, stop: int) -> _Entry:
    """A BundleEntryProto: dtype, shape, shard_id, offset, size, crc32c (a fixed32)."""
    data = index.span.data
    numbers: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    for field in fields(data, start, stop):
        if field.number == 2:  # noqa: PLR2004 - shape
            shape = shape_of(data, field)
        elif field.wire == FIXED32:
            numbers[field.number] = int.from_bytes(data[field.start : field.stop], "little")
        else:
            numbers[field.number] = field.value
    return _Entry(
        key=key,
        dtype=type_name(numbers.get(1, 0)),
        shape=shape,
        shard=numbers.get(3, 0),
        offset=numbers.get(4, 0),
        size=numbers.get(5, 0),
        checksum=numbers.get(6, -1),
    )


def _shard(files: Files, prefix: str, shard: int, shards: int) -> Region:
    return files.open(f"{prefix}.data-{shard:05d}-of-{shards:05d}")


def _names(files: Files, prefix: str, entries: list[_Entry], shards: int) -> dict[str, str]:
    """The names of the variables in the program, by their keys."""
    for entry in entries:
        if entry.key == _OBJECT_GRAPH:
            region = _shard(files, prefix, entry.shard, shards)
            region.span.sub(entry.offset, entry.size)
            region.claim(entry.offset, entry.size, _NAMES)
            return _full_names(region.span.data, entry.offset, entry.offset + entry.size)
    return {}


def _full_names(data: mmap.mmap | bytes, start: int, stop: int) -> dict[str, str]:
    """The full names by checkpoint key in a TrackableObjectGraph.

    It is a string in a shard, and follows its length (a varint) and the checksum of that (4 bytes).
    """
    at = start
    while at < stop and data[at] >= 0x80:  # noqa: PLR2004 - the continuation bit of the varint
        at += 1
    names: dict[str, str] = {}
    for node in fields(data, at + 1 + 4, stop):
        for attribute in fields(data, node.start, node.stop) if node.number == 1 else ():  # nodes
            if attribute.number == 2:  # noqa: PLR2004 - attributes, each a SerializedTensor
                parts = {field.number: field for field in fields(data, attribute.start, attribute.stop)}
                if 2 in parts and 3 in parts:  # noqa: PLR2004 - full_name, checkpoint_key
                    names[text(data, parts[3])] = text(data, parts[2])
    return names


def _tensor(entry: _Entry, full_name: str, where: tuple[Region, Owners], seen: dict[tuple[object, ...], str]) -> Tensor:
    """A variable as a tensor; it repeats an earlier one with the same name, shape and checksum."""
    region, owners = where
    check_size(entry.key, entry.dtype, entry.shape, entry.size)
    held = owners.hold(entry.key, region, (entry.offset, entry.size))
    training = entry.key.startswith(_TRAINING) or _SLOT in entry.key
    identity = (full_name, entry.dtype, entry.shape, entry.checksum)
    repeats = seen.setdefault(identity, entry.key) if full_name and entry.checksum >= 0 else entry.key
    again = repeats != entry.key
    return Tensor(
        name=full_name if "/" in full_name and not again else entry.key,
        layer=layer_of(full_name if "/" in full_name else entry.key),
        operator="",
        dtype=entry.dtype,
        shape=entry.shape,
        role=Role.OPTIMIZER if training else role_of(entry.dtype),
        stored=held.stored,
        memory=entry.size,
        places=held.places,
        shares=held.shares,
        repeats=full_name if again else "",
        checksum=entry.checksum,
    )


def _read_table(region: Region) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The keys of a sorted table in order, each with start and stop of its value; the entire table is claimed.

    Raises:
        Damage: it is not a sorted table, or its blocks are compressed.
    """
    footer = region.span.size - _FOOTER_SIZE
    if footer < 0 or region.span.u64(footer + _HANDLES_SIZE) != _MAGIC:
        raise Damage("its index of variables has no footer: it has been cut off")
    region.claim(footer, _FOOTER_SIZE, _BLOCKS)
    handles = region.span.raw(footer, _HANDLES_SIZE)
    meta_offset, meta_size, after = _handle(handles)  # metaindex_handle
    index_offset, index_size, _ = _handle(handles, after)  # index_handle
    for _ in _block(region, meta_offset, meta_size):
        pass
    count = 0
    for _, (start, stop) in _block(region, index_offset, index_size):
        offset, size, _ = _handle(region.span.raw(start, stop - start))
        for entry in _block(region, offset, size):
            count += 1
            check_tensors(count)
            yield entry


def _handle(data: bytes, at: int = 0) -> tuple[int, int, int]:
    """Offset and size of a block from its BlockHandle at `at`, and where that ends."""
    offset, at = varint(data, at, len(data))
    size, at = varint(data, at, len(data))
    return offset, size, at


def _block(region: Region, start: int, size: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The entries of a block, each of whose keys shares its beginning with the previous one; then restart points."""
    region.span.sub(start, size + _TRAILER_SIZE)
    region.claim(start, size + _TRAILER_SIZE, _BLOCKS)
    if region.span.u8(start + size):  # block type: 0 is not compressed
        raise Damage("its index of variables is compressed")
    stop = start + size - 4 - 4 * region.span.u32(start + size - 4)  # num_restarts, after that many uint32
    if stop < start:
        raise Damage(f"a block of its index of variables, at byte {start:,}, is broken")
    data, base = region.span.data, region.span.start
    key, at = b"", start
    while at < stop:
        shared, at = varint(data, base + at, base + stop)  # shared_bytes
        unshared, at = varint(data, at, base + stop)  # unshared_bytes
        length, at = varint(data, at, base + stop)  # value_length
        at -= base
        if shared > len(key) or at + unshared + length > stop:
            raise Damage(f"an entry of its index of variables, at byte {at:,}, is broken")
        region.span.work.spend(6 * RECORD + 2 * TEXT + 3 * (shared + unshared))  # with what is made of each entry
        key = key[:shared] + region.span.raw(at, unshared)
        at += unshared + length
        yield key, (at - length, at)
