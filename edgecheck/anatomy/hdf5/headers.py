"""HDF5's object headers: the messages that say what a group or a dataset is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import check_parts
from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.anatomy.accounting.region import Region
    from edgecheck.anatomy.encodings.span import Span

# RF-SECTION superblock: HDF5's superblock, and numbers of the widths that it sets.

SIGNATURE = b"\x89HDF\r\n\x1a\n"
RESERVED = Label(Kind.PADDING, "space that HDF5 reserves")
_SUPERBLOCK = Label(Kind.STRUCTURE, "superblock")
_USER_BLOCK = Label(Kind.METADATA, "user block")
_FIRST_PLACES = (0, 512, 1024, 2048, 4096, 8192)


class H5:
    """An HDF5 file in a region; addresses count from the superblock."""

    def __init__(self, region: Region) -> None:
        begin = next((at for at in _FIRST_PLACES if _signed(region, at)), None)
        if begin is None:
            raise Damage("it has no HDF5 signature")
        region.claim(0, begin, _USER_BLOCK)
        self.region = region.sub(begin, region.span.size - begin)
        self.span = self.region.span
        self.leaf_k, self.internal_k, self.chunk_k = 4, 16, 32
        self.visits = 0
        version = self.span.u8(8)
        if version in (0, 1):
            self.offset_size, self.length_size = self.span.u8(13), self.span.u8(14)
            self._check_widths()
            self.root = self._old(version)
        elif version in (2, 3):
            self.offset_size, self.length_size = self.span.u8(9), self.span.u8(10)
            self._check_widths()
            self.root = self._new()
        else:
            raise Unread(f"its HDF5 superblock has version {version}")

    def address(self, at: int) -> int | None:
        """An address, or `None` for one that is undefined: nothing was allocated."""
        value = self.span.uint(at, self.offset_size)
        return None if value == (1 << 8 * self.offset_size) - 1 else value

    def length(self, at: int) -> int:
        """A size."""
        return self.span.uint(at, self.length_size)

    def visit(self) -> None:
        """Count a node; a hostile file may lead to many from few bytes."""
        self.visits += 1
        check_parts(self.visits)
        if self.visits > self.span.size // 16 + 64:
            raise Damage("its parts point to each other more often than a file of this size can need")

    def expect(self, at: int, signature: bytes) -> None:
        """Check what a part begins with."""
        if self.span.raw(at, len(signature)) != signature:
            raise Damage(f"its part at byte {at:,} should begin with {signature.decode()}")

    def _check_widths(self) -> None:
        if self.offset_size not in (2, 4, 8) or self.length_size not in (2, 4, 8):
            raise Damage(f"its addresses claim {self.offset_size} bytes, its sizes {self.length_size}")

    def _old(self, version: int) -> int:
        """Versions 0 and 1; the answer is the address of the root's header."""
        self.leaf_k, self.internal_k = self.span.u16(16), self.span.u16(18)
        at = 24
        if version == 1:
            self.chunk_k = self.span.u16(24)
            at = 28
        self._check_end(at + 2 * self.offset_size)
        entry = at + 4 * self.offset_size
        self.region.claim(0, entry + 2 * self.offset_size + 24, _SUPERBLOCK)
        return self.span.uint(entry + self.offset_size, self.offset_size)

    def _new(self) -> int:
        """Versions 2 and 3."""
        self._check_end(12 + 2 * self.offset_size)
        self.region.claim(0, 16 + 4 * self.offset_size, _SUPERBLOCK)
        return self.span.uint(12 + 3 * self.offset_size, self.offset_size)

    def _check_end(self, at: int) -> None:
        end = self.span.uint(at, self.offset_size)
        if end > self.span.size + self.region.base:
            raise Damage(f"it should have {end:,} bytes and has {self.span.size:,}: it has been cut off")


def _signed(region: Region, at: int) -> bool:
    size = len(SIGNATURE)
    return at + size <= region.span.size and region.span.raw(at, size) == SIGNATURE


DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL, LAYOUT = 1, 2, 3, 6, 7, 8
FILTERS, ATTRIBUTE, SYMBOL_TABLE, ATTRIBUTE_INFO = 11, 12, 17, 21
_NIL, _CONTINUATION = 0, 16
_HEADERS = Label(Kind.STRUCTURE, "object headers")
_ATTRIBUTES = Label(Kind.STRUCTURE, "attributes")
_TRAINING = Label(Kind.METADATA, "training settings and versions")
_TRAINING_NAMES = ("training_config", "keras_version", "backend", "date_saved")
_SHARED = 2
"""Flag of a message that stands elsewhere."""


_LAYOUT_3 = 3


class Message(NamedTuple):
    """A header message."""

    kind: int
    at: int
    """Where its data begin."""
    size: int


def read_header(h5: H5, at: int) -> list[Message]:
    """The messages of the object header at `at`; all of it is entered.

    Raises:
        Damage: it is broken, or its continuations lead nowhere.
    """
    h5.visit()
    if h5.span.raw(at, 4) == b"OHDR":
        return _new(h5, at)
    if h5.span.u8(at) != 1:
        raise Damage(f"its object header at byte {at:,} has version {h5.span.u8(at)}")
    return _old(h5, at)


def _old(h5: H5, at: int) -> list[Message]:
    """Version 1: messages follow a prefix of 16 bytes, aligned to 8."""
    h5.region.claim(at, 16, _HEADERS)
    blocks = [(at + 16, h5.span.u32(at + 8))]
    messages: list[Message] = []
    for start, size in blocks:  # grows as continuations are met
        h5.visit()
        h5.span.sub(start, size)
        place = start
        while place + 8 <= start + size:
            kind, length, flags = h5.span.u16(place), h5.span.u16(place + 2), h5.span.u8(place + 4)
            message = Message(kind, place + 8, length)
            _enter(h5, message, 8, flags)
            messages.append(message)
            if kind == _CONTINUATION:
                blocks.append(_continuation(h5, place + 8))
            place += 8 + length
        h5.region.claim(place, start + size - place, RESERVED)
    return messages


def _new(h5: H5, at: int) -> list[Message]:
    """Version 2: messages stand close, blocks end with a checksum."""
    flags = h5.span.u8(at + 5)
    prefix = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = h5.span.uint(at + prefix, width)
    head = 6 if flags & 4 else 4
    h5.region.claim(at, prefix + width, _HEADERS)
    h5.region.claim(at + prefix + width + size, 4, _HEADERS)
    blocks = [(at + prefix + width, size)]
    messages: list[Message] = []
    for start, length in blocks:  # grows as continuations are met
        h5.visit()
        for message, message_flags in _close_messages(h5.span.sub(start, length), start, head):
            _enter(h5, message, head, message_flags)
            messages.append(message)
            if message.kind == _CONTINUATION:
                begin, whole = _continuation(h5, message.at)
                h5.expect(begin, b"OCHK")
                h5.region.claim(begin, 4, _HEADERS)
                h5.region.claim(begin + whole - 4, 4, _HEADERS)
                blocks.append((begin + 4, whole - 8))
        used = messages[-1].at + messages[-1].size if messages else start
        h5.region.claim(used, start + length - used if start <= used else 0, RESERVED)
    return messages


def _close_messages(block: Span, start: int, head: int) -> Iterator[tuple[Message, int]]:
    at = 0
    while at + head <= block.size:
        message = Message(block.u8(at), start + at + head, block.u16(at + 1))
        yield message, block.u8(at + 3)
        at += head + message.size


def _continuation(h5: H5, at: int) -> tuple[int, int]:
    address = h5.address(at)
    if address is None:
        raise Damage(f"the object header before byte {at:,} goes on nowhere")
    return address, h5.length(at + h5.offset_size)


def _enter(h5: H5, message: Message, head: int, flags: int) -> None:
    h5.span.sub(message.at, message.size)
    label = _HEADERS
    if message.kind == _NIL:
        label = RESERVED
    elif message.kind == ATTRIBUTE:
        label = label_of_attribute(h5.span, message)
    elif message.kind in (DATASPACE, DATATYPE, LAYOUT) and flags & _SHARED:
        raise Unread("its datasets share their types")
    inside = compact_data(h5.span, message)
    h5.region.claim_around(message.at - head, head + message.size, [inside] if inside else [], label)


def compact_data(span: Span, message: Message) -> tuple[int, int] | None:
    """Start and size of a small dataset's numbers, which stand in its layout message."""
    if message.kind != LAYOUT:
        return None
    version = span.u8(message.at)
    is_compact = span.u8(message.at + (1 if version >= _LAYOUT_3 else 2)) == 0
    if not is_compact:
        return None
    if version >= _LAYOUT_3:
        start, size = message.at + 4, span.u16(message.at + 2)
    else:
        start = message.at + 12 + 4 * span.u8(message.at + 1)
        size = span.u32(start - 4)
    span.sub(start, size)
    return start, size


def attribute_name(span: Span, message: Message) -> str:
    """The name of an attribute."""
    at = message.at + (9 if span.u8(message.at) == 3 else 8)  # noqa: PLR2004 - version 3 also names the encoding
    return span.text(at, span.u16(message.at + 2)).rstrip("\0")


def label_of_attribute(span: Span, message: Message) -> Label:
    """What an attribute is for, by its name."""
    return _TRAINING if attribute_name(span, message) in _TRAINING_NAMES else _ATTRIBUTES
