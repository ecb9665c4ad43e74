"""The directory of a zip archive: where each member is, down to the byte.

PKWARE APPNOTE 6.3.10, section 4.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from edgecheck.anatomy.accounting.limits import RECORD, check_parts, quoted
from edgecheck.anatomy.encodings.span import Damage, Span

#: Compression methods (4.4.5).
STORED, DEFLATED = 0, 8
#: Signatures of the local file header (4.3.7), the central directory header (4.3.12) and its end record (4.3.16).
_LOCAL, _CENTRAL, END_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
#: Those of the zip64 end record (4.3.14), the locator of that (4.3.15) and the data descriptor (4.3.9).
_END64, _LOCATOR64, _DESCRIPTOR = b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"
#: Bytes of the fixed part of each.
_LOCAL_SIZE, _CENTRAL_SIZE, END_SIZE, _END64_SIZE, _LOCATOR64_SIZE = 30, 46, 22, 56, 20
#: The comment's length is a field of 16 bits.
_LONGEST_COMMENT = 0xFFFF
#: Header ID of the zip64 extended information extra field (4.5.3).
_ZIP64_EXTRA = 1
#: Bit 3 of the general purpose flags (4.4.4): sizes and CRC follow the data, in a data descriptor.
_HAS_DESCRIPTOR = 1 << 3
#: Header ID of the extra field with which torch aligns a member, and the bytes of every extra field's head (4.5.1).
_TORCH_EXTRA, _EXTRA_HEAD = b"FB", 4
#: Signature, flags, method, CRC-32, compressed size, uncompressed size, lengths of file name, extra field and comment,
#: offset of the local header. Skipped: versions, time and date, disk number and attributes.
_CENTRAL_HEAD = struct.Struct("<4s4xHH4xIIIHHH8xI")
#: Signature, and the lengths of file name and extra field; the directory repeats everything else.
_LOCAL_HEAD = struct.Struct("<4s22xHH")
#: A 32-bit size or offset that did not fit: the zip64 extra field has it.
_FULL32 = 0xFFFFFFFF


class Member(NamedTuple):
    """One file in the archive; places are relative to the span that was read."""

    name: str
    method: int
    """`STORED` or `DEFLATED`; other methods exist and are not read here."""
    crc: int
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes once unpacked, as the directory claims."""
    header: int
    """Where its local header begins; it ends with the filling, where the data begins."""
    filling: int
    """Bytes that torch put before the data to align it."""
    start: int
    """Where its data begins."""
    descriptor: int
    """Bytes of the data descriptor after the data; 0 for none."""


class Archive(NamedTuple):
    """The members, and where the parts after them are."""

    members: tuple[Member, ...]
    begin: int
    """Where the archive begins: 0, unless other data precedes it."""
    directory: tuple[int, int]
    """Start and stop of the central directory."""
    end: tuple[int, int]
    """Start and stop of the end records, without the comment."""
    stop: int
    """Where the archive ends, after its comment."""


def read_archive(span: Span) -> Archive:
    """The archive in `span`, by its central directory and its local headers.

    Raises:
        Damage: there is no end record (a truncated archive), or an offset points outside.
    """
    end = _find_end(span)
    stop = end + END_SIZE + span.u16(end + 20)  # + the length of the comment
    # total number of entries; size of the central directory; its offset from the start of the archive
    count, size, offset = span.u16(end + 10), span.u32(end + 12), span.u32(end + 16)
    begin_of_end = end
    if end >= _LOCATOR64_SIZE and span.raw(end - _LOCATOR64_SIZE, 4) == _LOCATOR64:
        begin_of_end = end - _LOCATOR64_SIZE - _END64_SIZE
        if span.raw(begin_of_end, 4) != _END64:
            begin_of_end = span.u64(end - _LOCATOR64_SIZE + 8)  # offset of the zip64 end record
        if span.raw(begin_of_end, 4) != _END64:
            raise Damage("the archive's zip64 end record is not where it should be")
        count, size, offset = (span.u64(begin_of_end + at) for at in (32, 40, 48))  # the same three, in 64 bits
    begin = begin_of_end - size - offset
    if begin < 0 or count * _CENTRAL_SIZE > size:
        raise Damage(f"the archive's directory claims {count:,} members in {size:,} bytes")
    check_parts(count)
    start = begin + offset
    members = tuple(_members(span, start, count, begin))
    return Archive(members, begin, (start, start + size), (begin_of_end, end + END_SIZE), stop)


def _find_end(span: Span) -> int:
    """Where the last end record begins that has room for its comment."""
    window = min(span.size, END_SIZE + _LONGEST_COMMENT)
    base = span.size - window
    tail = span.raw(base, window)
    at = tail.rfind(END_SIGNATURE)
    while at >= 0:
        comment_at = base + at + 20  # the length of the comment, the record's last field
        if at + END_SIZE <= window and base + at + END_SIZE + span.u16(comment_at) <= span.size:
            return base + at
        at = tail.rfind(END_SIGNATURE, 0, at)
    raise Damage("it is a zip archive without its end: it has been cut off")


def _members(span: Span, at: int, count: int, begin: int) -> list[Member]:
    """Each entry of the directory with its local header, in as few reads as possible."""
    members = []
    for _ in range(count):
        span.work.spend(4 * RECORD)
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
        raise Damage(f"the archive's member {quoted(name)} is not where the directory says")
    start = header + _LOCAL_SIZE + name_size + extra
    filling = 0
    if extra > _EXTRA_HEAD and span.raw(start - extra, 2) == _TORCH_EXTRA:
        filling = extra - _EXTRA_HEAD
    span.place(start, packed)
    descriptor = _descriptor(span, start + packed, (packed, size)) if flags & _HAS_DESCRIPTOR else 0
    return Member(name, method, crc, packed, size, header, filling, start, descriptor)


def _widen(span: Span, at: int, length: int, sizes: list[int]) -> None:
    """Replace the sizes that did not fit into 32 bits by those of the zip64 extra field.

    The field holds only these, in the order of `sizes`: uncompressed size, compressed size, local header offset.
    """
    stop = at + length
    while at + 4 <= stop:
        kind, size = span.u16(at), span.u16(at + 2)  # header ID, data size
        at += 4
        if kind == _ZIP64_EXTRA:
            for index, value in enumerate(sizes):
                if value == _FULL32:
                    sizes[index] = span.u64(at)
                    at += 8
            return
        at += size


def _descriptor(span: Span, at: int, sizes: tuple[int, int]) -> int:
    """Bytes of the data descriptor at `at`: with or without its signature, in 32 or 64 bits.

    After the signature: CRC-32 (4 bytes), compressed size, uncompressed size.
    """
    signature = 4 if span.raw(at, 4) == _DESCRIPTOR else 0
    for width in (8, 4):
        length = signature + 4 + 2 * width
        if at + length <= span.size:
            found = tuple(span.uint(at + signature + 4 + index * width, width) for index in (0, 1))
            if found == sizes:
                return length
    raise Damage(f"the archive's member before byte {at:,} has no readable data descriptor")
