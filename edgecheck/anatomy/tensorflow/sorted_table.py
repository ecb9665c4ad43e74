"""The sorted table of LevelDB, in which TensorFlow keeps the index of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import check_tensors
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import varint
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.anatomy.accounting.region import Region

_BLOCKS = Label(Kind.STRUCTURE, "index of variables")
_FOOTER_SIZE = 48
_MAGIC = 0xDB4775248B80FB57
_TRAILER_SIZE = 5
"""Behind each block: how it is compressed, and a checksum."""


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
