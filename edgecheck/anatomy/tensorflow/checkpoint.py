"""TensorFlow's checkpoints: an index of variables, shards of data, and the graph of objects that names them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import check_size, check_tensors
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import FIXED32, fields, text, varint
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.tensorflow.types import role_of, shape_of, type_name
from edgecheck.anatomy.values import Kind, Role, Tensor

# RF-SECTION sorted_table: The sorted table of LevelDB, in which TensorFlow keeps the index of a checkpoint.

_BLOCKS = Label(Kind.STRUCTURE, "index of variables")
_FOOTER_SIZE = 48
_MAGIC = 0xDB4775248B80FB57
#: Behind each block: how it is compressed, and a checksum.
_TRAILER_SIZE = 5


def read_table(region: Region) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Keys, in order, each with start and stop of its value; the whole table is entered.

    Raises:
        Damage: it is not such a table, or its blocks are compressed.
    """
    footer = region.span.size - _FOOTER_SIZE
    if footer < 0 or region.span.u64(footer + 40) != _MAGIC:
        raise Damage("its index of variables has no footer: it has been cut off")
    region.claim(footer, _FOOTER_SIZE, _BLOCKS)
    data, at = region.span.raw(footer, 40), 0
    handles = []
    for _ in range(4):
        value, at = varint(data, at, len(data))
        handles.append(value)
    for _ in _block(region, handles[0], handles[1]):
        pass
    count = 0
    for _, (start, stop) in _block(region, handles[2], handles[3]):
        handle = region.span.raw(start, stop - start)
        offset, after = varint(handle, 0, len(handle))
        size, _ = varint(handle, after, len(handle))
        for entry in _block(region, offset, size):
            count += 1
            check_tensors(count)
            yield entry


def _block(region: Region, start: int, size: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Entries share the beginning of their keys with the one before; restart points stand at the end."""
    region.span.sub(start, size + _TRAILER_SIZE)
    region.claim(start, size + _TRAILER_SIZE, _BLOCKS)
    if region.span.u8(start + size):
        raise Damage("its index of variables is compressed")
    stop = start + size - 4 - 4 * region.span.u32(start + size - 4)
    if stop < start:
        raise Damage(f"a block of its index of variables, at byte {start:,}, is broken")
    data, base = region.span.data, region.span.start
    key, at = b"", start
    while at < stop:
        shared, at = varint(data, base + at, base + stop)
        own, at = varint(data, at, base + stop)
        length, at = varint(data, at, base + stop)
        at -= base
        if shared > len(key) or at + own + length > stop:
            raise Damage(f"an entry of its index of variables, at byte {at:,}, is broken")
        key = key[:shared] + region.span.raw(at, own)
        at += own + length
        yield key, (at - length, at)


_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_NAMES = Label(Kind.STRUCTURE, "object graph")
_STRINGS = Label(Kind.METADATA, "strings")
_TRAINING = ("optimizer/", "keras_api/metrics/", "save_counter")
_SLOT = "/.OPTIMIZER_SLOT/"
_MOST_SHARDS = 100_000


class _Entry(NamedTuple):
    """A BundleEntryProto."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int


def read_checkpoint(files: Files, prefix: str) -> list[Tensor]:
    """The variables of the checkpoint whose files begin with `prefix`.

    Raises:
        Damage: the index is broken, or points beyond its shards.
    """
    index = files.open(f"{prefix}.index")
    shards, entries = 0, list[_Entry]()
    for key, (start, stop) in read_table(index):
        if key:
            entries.append(_entry(index, key.decode("utf-8", "replace"), start, stop))
        else:
            header = {field.number: field.value for field in fields(index.span.data, start, stop)}
            shards = header.get(1, 0)
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
    shard, offset, size = (numbers.get(number, 0) for number in (3, 4, 5))
    return _Entry(key, type_name(numbers.get(1, 0)), shape, shard, offset, size, numbers.get(6, -1))


def _shard(files: Files, prefix: str, shard: int, shards: int) -> Region:
    return files.open(f"{prefix}.data-{shard:05d}-of-{shards:05d}")


def _names(files: Files, prefix: str, entries: list[_Entry], shards: int) -> dict[str, str]:
    """By key: the name that the program gave the variable."""
    for entry in entries:
        if entry.key == _OBJECT_GRAPH:
            region = _shard(files, prefix, entry.shard, shards)
            region.span.sub(entry.offset, entry.size)
            region.claim(entry.offset, entry.size, _NAMES)
            return _full_names(region.span.data, entry.offset, entry.offset + entry.size)
    return {}


def _full_names(data: mmap.mmap | bytes, start: int, stop: int) -> dict[str, str]:
    """A TrackableObjectGraph, behind the length and the checksum that a scalar string has in a shard."""
    at = start
    while at < stop and data[at] >= 0x80:  # noqa: PLR2004 - a varint goes on
        at += 1
    names: dict[str, str] = {}
    for node in fields(data, at + 5, stop):
        for attribute in fields(data, node.start, node.stop) if node.number == 1 else ():
            if attribute.number == 2:  # noqa: PLR2004 - a SerializedTensor
                parts = {field.number: field for field in fields(data, attribute.start, attribute.stop)}
                if 2 in parts and 3 in parts:  # noqa: PLR2004 - full name and key
                    names[text(data, parts[3])] = text(data, parts[2])
    return names


def _tensor(entry: _Entry, full_name: str, where: tuple[Region, Owners], seen: dict[tuple[object, ...], str]) -> Tensor:
    """A variable; one of the same name, shape and checksum as an earlier one repeats it."""
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
