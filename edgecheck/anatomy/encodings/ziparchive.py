"""The directory of a zip archive: which member lies where, down to the byte."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.accounting.limits import check_parts
from edgecheck.anatomy.encodings.span import Damage

if TYPE_CHECKING:
    from edgecheck.anatomy.encodings.span import Span

STORED, DEFLATED = 0, 8
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64, _LOCATOR64, _DESCRIPTOR = b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"
_LOCAL_SIZE, _CENTRAL_SIZE, _END_SIZE, _END64_SIZE, _LOCATOR64_SIZE = 30, 46, 22, 56, 20
_LONGEST_COMMENT = 0xFFFF
_ZIP64_EXTRA = 1
_HAS_DESCRIPTOR = 8
_TORCH_EXTRA, _EXTRA_HEAD = b"FB", 4
"""What torch calls the extra field that aligns a member, and the bytes of the field's own head."""
_CENTRAL_HEAD = struct.Struct("<4s4xHH4xIIIHHH8xI")
_LOCAL_HEAD = struct.Struct("<4s22xHH")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF


class Member(NamedTuple):
    """One file in the archive; places are relative to the span that was read."""

    name: str
    method: int
    """`STORED` or `DEFLATED`; others exist and cannot be read here."""
    crc: int
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes once unpacked, as the directory claims."""
    header: int
    """Where its local header begins; it ends with the filling, where the data begin."""
    filling: int
    """Bytes before the data that torch put there to align them."""
    start: int
    """Where its data begin."""
    descriptor: int
    """Bytes of the data descriptor that follows the data; 0 for none."""


class Archive(NamedTuple):
    """What the end of the archive says."""

    members: tuple[Member, ...]
    begin: int
    """Where the archive begins: 0, unless something stands before it."""
    directory: tuple[int, int]
    """Start and stop of the central directory."""
    end: tuple[int, int]
    """Start and stop of the end records, without the comment."""
    stop: int
    """Where the comment, and with it the archive, ends."""


def read_archive(span: Span) -> Archive:
    """Everything the central directory and the local headers say.

    Raises:
        Damage: there is no end record (a truncated archive), or an offset points nowhere.
    """
    end = _find_end(span)
    stop = end + _END_SIZE + span.u16(end + 20)
    count, size, offset = span.u16(end + 10), span.u32(end + 12), span.u32(end + 16)
    begin_of_end = end
    if end >= _LOCATOR64_SIZE and span.raw(end - _LOCATOR64_SIZE, 4) == _LOCATOR64:
        begin_of_end = end - _LOCATOR64_SIZE - _END64_SIZE
        if span.raw(begin_of_end, 4) != _END64:
            begin_of_end = span.u64(end - _LOCATOR64_SIZE + 8)
        if span.raw(begin_of_end, 4) != _END64:
            raise Damage("the archive's zip64 end record is not where it should be")
        count, size, offset = (span.u64(begin_of_end + at) for at in (32, 40, 48))
    begin = begin_of_end - size - offset
    if begin < 0 or count * _CENTRAL_SIZE > size:
        raise Damage(f"the archive's directory claims {count:,} members in {size:,} bytes")
    check_parts(count)
    start = begin + offset
    members = tuple(_members(span, start, count, begin))
    return Archive(members, begin, (start, start + size), (begin_of_end, end + _END_SIZE), stop)


def _find_end(span: Span) -> int:
    window = min(span.size, _END_SIZE + _LONGEST_COMMENT)
    base = span.size - window
    tail = span.raw(base, window)
    at = tail.rfind(_END)
    while at >= 0:
        if at + _END_SIZE <= window and base + at + _END_SIZE + span.u16(base + at + 20) <= span.size:
            return base + at
        at = tail.rfind(_END, 0, at)
    raise Damage("it is a zip archive without its end: it has been cut off")


def _members(span: Span, at: int, count: int, begin: int) -> list[Member]:
    """Each entry of the directory, and the local header to which it leads, in as few reads as can be."""
    members = []
    for _ in range(count):
        signature, flags, method, crc, *numbers = _CENTRAL_HEAD.unpack(span.raw(at, _CENTRAL_SIZE))
        if signature != _CENTRAL:
            raise Damage(f"the archive's directory is broken at byte {at:,}")
        packed, size, name_size, extra_size, comment_size, header = numbers
        name = span.text(at + _CENTRAL_SIZE, name_size)
        sizes = [size, packed, header]
        if _FULL32 in sizes:
            _widen(span, at + _CENTRAL_SIZE + name_size, extra_size, sizes)
        members.append(_member(span, (name, flags, method, crc), sizes, begin))
        at += _CENTRAL_SIZE + name_size + extra_size + comment_size
    return members


def _member(span: Span, entry: tuple[str, int, int, int], sizes: list[int], begin: int) -> Member:
    name, flags, method, crc = entry
    size, packed, header = sizes
    header += begin
    signature, name_size, extra = _LOCAL_HEAD.unpack(span.raw(header, _LOCAL_SIZE))
    if signature != _LOCAL:
        raise Damage(f"the archive's member {name!r} is not where the directory says")
    start = header + _LOCAL_SIZE + name_size + extra
    filling = 0
    if extra > _EXTRA_HEAD and span.raw(start - extra, 2) == _TORCH_EXTRA:
        filling = extra - _EXTRA_HEAD
    span.place(start, packed)
    descriptor = _descriptor(span, start + packed, (packed, size)) if flags & _HAS_DESCRIPTOR else 0
    return Member(name, method, crc, packed, size, header, filling, start, descriptor)


def _widen(span: Span, at: int, length: int, sizes: list[int]) -> None:
    """Replace what did not fit into 32 bits by what the zip64 extra field holds, in the format's order."""
    stop = at + length
    while at + 4 <= stop:
        kind, size = span.u16(at), span.u16(at + 2)
        at += 4
        if kind == _ZIP64_EXTRA:
            for index, value in enumerate(sizes):
                if value == _FULL32:
                    sizes[index] = span.u64(at)
                    at += 8
            return
        at += size


def _descriptor(span: Span, at: int, sizes: tuple[int, int]) -> int:
    """Bytes of the data descriptor at `at`: with or without its signature, in 32 or 64 bits."""
    signature = 4 if span.raw(at, 4) == _DESCRIPTOR else 0
    for width in (8, 4):
        length = signature + 4 + 2 * width
        if at + length <= span.size:
            found = tuple(span.uint(at + signature + 4 + index * width, width) for index in (0, 1))
            if found == sizes:
                return length
    raise Damage(f"the archive's member before byte {at:,} has no readable data descriptor")
