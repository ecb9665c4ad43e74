"""The wire format of protocol buffers: numbered fields, read without a schema.

https://protobuf.dev/programming-guides/encoding/, sections "Base 128 Varints" and "Message Structure".
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.limits import ITEM, STEP, TEXT
from edgecheck.anatomy.encodings.span import Damage, FileMap

#: Wire types, as the specification calls them: VARINT, I64, LEN, I32. The groups of proto2 (3 and 4) are not read.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTH = {FIXED64: 8, FIXED32: 4}
#: The highest shift of a varint: ten bytes of seven bits, of which the last holds one.
_LONGEST_VARINT = 63
#: Bytes, or values, that are searched in one step.
_CHUNK = 1 << 20
#: Fields of a message that are charged in one step.
_CHARGED = 1024
#: Bytes with the continuation bit: the varint goes on after them.
_CONTINUED = bytes(range(0x80, 0x100))


class Field(NamedTuple):
    """One field of a message, as places in the file; nothing is copied."""

    number: int
    wire: int
    """`VARINT`, `FIXED64`, `BYTES` or `FIXED32`."""
    begin: int
    """Where the field's tag begins."""
    start: int
    """Where its payload begins."""
    stop: int
    """Where its payload ends, which is where the next field begins."""
    value: int
    """The number, for a `VARINT`; else 0."""


def varint(data: mmap.mmap | bytes, at: int, stop: int) -> tuple[int, int]:
    """The number at `at`, and where it ends.

    Raises:
        Damage: it has more than ten bytes, or is cut off at `stop`.
    """
    value = shift = 0
    while at < stop:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift  # seven bits of payload, the least significant group first
        if byte < 0x80:  # noqa: PLR2004 - the format's continuation bit
            return value, at
        shift += 7
        if shift > _LONGEST_VARINT:
            raise Damage(f"the number at byte {at:,} is longer than 64 bits")
    raise Damage(f"a number at byte {at:,} is cut off")


def field_at(data: mmap.mmap | bytes, begin: int, stop: int) -> Field:
    """The field that begins at `begin`, in a message that ends at `stop`."""
    at = begin
    tag = data[at]
    if tag < 0x80:  # noqa: PLR2004 - the format's continuation bit; almost every tag is one byte
        at += 1
    else:
        tag, at = varint(data, at, stop)
    number, wire = tag >> 3, tag & 7  # tag: (field_number << 3) | wire_type
    value = 0
    payload = at
    if wire in (BYTES, VARINT):
        # almost every length and most numbers are one byte, too: without a call, reading a model takes a tenth less
        value = data[at] if at < stop else _CONTINUED[0]
        value, at = (value, at + 1) if value < 0x80 else varint(data, at, stop)  # noqa: PLR2004 - as above
        if wire == BYTES:
            payload, at, value = at, at + value, 0
    elif wire in _WIDTH:
        at += _WIDTH[wire]
    else:
        raise Damage(f"field {number} at byte {begin:,} has the unknown wire type {wire}")
    if not number or at > stop:
        raise Damage(f"field {number} at byte {begin:,} reaches {at - stop:,} bytes beyond its message")
    return Field(number, wire, begin, payload, at, value)


def fields(data: mmap.mmap | bytes, start: int, stop: int) -> Iterator[Field]:
    """The fields of the message from `start` to `stop`; they are charged to the budget of the file."""
    at, count = start, 1
    while at < stop:
        field = field_at(data, at, stop)
        yield field
        at = field.stop
        count += 1
        if count == _CHARGED:
            _spend(data, STEP * count)
            count = 0
    _spend(data, STEP * count)


def _spend(data: mmap.mmap | bytes, cost: int) -> None:
    """Charge the budget of a file; bytes that were taken from one have been charged there."""
    if isinstance(data, FileMap):
        data.work.spend(cost)


class Run(NamedTuple):
    """Consecutive values of one repeated field: packed into one field, or one field each."""

    start: int
    """Where the values begin: after tag and length when they are packed, else at the first tag."""
    stop: int
    values: int
    """How many."""


def run_at(data: mmap.mmap | bytes, field: Field, stop: int, packed_wire: int) -> Run:
    """The run that begins with `field`, found without reading value by value.

    Args:
        data: The file.
        field: The first of the run.
        stop: Where the message ends.
        packed_wire: The wire type of the values when `field` packs them; `BYTES` when it cannot.
    """
    if field.wire == BYTES and packed_wire != BYTES:
        return _packed(data, field, packed_wire)
    one_byte_tag = data[field.begin] < 0x80  # noqa: PLR2004 - the format's continuation bit
    if field.wire in _WIDTH and one_byte_tag:
        return _strided(data, field, stop)
    if field.wire == VARINT and one_byte_tag:
        return _varints(data, field, stop)
    values, end = 1, field.stop
    while end < stop and (following := field_at(data, end, stop))[:2] == field[:2]:
        values, end = values + 1, following.stop
    return Run(field.begin, end, values)


def _packed(data: mmap.mmap | bytes, field: Field, wire: int) -> Run:
    if wire in _WIDTH:
        return Run(field.start, field.stop, (field.stop - field.start) // _WIDTH[wire])
    return Run(field.start, field.stop, _ends(data, field.start, field.stop))


def _strided(data: mmap.mmap | bytes, field: Field, stop: int) -> Run:
    """A run of numbers of fixed width: the same tag again after every stride of bytes."""
    stride = 1 + _WIDTH[field.wire]
    tag = data[field.begin : field.begin + 1]
    at = field.begin
    while at + stride <= stop:
        column = data[at : min(stop, at + _CHUNK * stride) - stride + 1 : stride]
        same = len(column) - len(column.lstrip(tag))
        at += same * stride
        if same < len(column):
            break
    return Run(field.begin, at, (at - field.begin) // stride)


def _varints(data: mmap.mmap | bytes, field: Field, stop: int) -> Run:
    tag = re.escape(data[field.begin : field.begin + 1])
    match = re.compile(b"(?:" + tag + rb"[\x80-\xff]{0,9}[\x00-\x7f])+").match(data, field.begin, stop)
    end = match.end() if match else field.stop
    return Run(field.begin, end, _ends(data, field.begin, end) // 2)


def _ends(data: mmap.mmap | bytes, start: int, stop: int) -> int:
    """How many varints, tags included, end between `start` and `stop`."""
    return sum(len(data[at : min(stop, at + _CHUNK)].translate(None, _CONTINUED)) for at in range(start, stop, _CHUNK))


def signed(value: int) -> int:
    """A varint as an int64: negative numbers are written in two's complement of 64 bits."""
    return value - (1 << 64) if value >> 63 else value


def packed(data: mmap.mmap | bytes, field: Field) -> list[int]:
    """The integers of a repeated varint field, packed or not, as int64."""
    if field.wire == VARINT:
        return [signed(field.value)]
    _spend(data, 4 * ITEM * (field.stop - field.start))  # each is an integer object
    numbers, at = [], field.start
    while at < field.stop:
        value, at = varint(data, at, field.stop)
        numbers.append(signed(value))
    return numbers


def text(data: mmap.mmap | bytes, field: Field) -> str:
    """A string field."""
    _spend(data, TEXT + field.stop - field.start)
    return data[field.start : field.stop].decode("utf-8", "replace")


def float32(data: mmap.mmap | bytes, field: Field) -> float:
    """A float field."""
    return float(struct.unpack_from("<f", data, field.start)[0])
