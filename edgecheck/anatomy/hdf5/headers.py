"""HDF5's superblock, and its object headers: the messages that say what a group or a dataset is.

HDF5 File Format Specification 3.0, sections II.A and IV.A
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html). All numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import RECORD, check_parts
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage, Span, Unread
from edgecheck.anatomy.values import Kind

#: What the library allocated for entries that are not there yet.
RESERVED = Label(Kind.PADDING, "space that HDF5 reserves")
_SUPERBLOCK = Label(Kind.STRUCTURE, "superblock")
_USER_BLOCK = Label(Kind.METADATA, "user block")
_HEADERS = Label(Kind.STRUCTURE, "object headers")
_ATTRIBUTES = Label(Kind.STRUCTURE, "attributes")
_TRAINING = Label(Kind.METADATA, "training settings and versions")
#: Attributes of Keras that nothing needs at run time.
_TRAINING_NAMES = ("training_config", "keras_version", "backend", "date_saved")

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Where the superblock may begin: at 0, or at 512 and its doubles, after a user block (the specification goes on).
_FIRST_PLACES = (0, 512, 1024, 2048, 4096, 8192)

#: Types of header messages (IV.A.2).
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL, LAYOUT = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08
FILTERS, ATTRIBUTE, SYMBOL_TABLE = 0x0B, 0x0C, 0x11
_NIL, _CONTINUATION = 0x00, 0x10
#: Bit 1 of a message's flags: the message is stored elsewhere, and shared.
_SHARED = 1 << 1
#: The first version of the data layout message that has the layout class next to the version.
_LAYOUT_3 = 3


class H5:
    """An HDF5 file in a region, from its superblock on: addresses count from there.

    Attributes:
        region: The file without its user block.
        span: The bytes of `region`.
        root: Address of the root group's object header.
        offset_size: Bytes of an address ("size of offsets").
        length_size: Bytes of a size ("size of lengths").
        leaf_k: Half of the entries that a symbol table node has room for.
        internal_k: Half of the entries that a node of a group's B-tree has room for.
        chunk_k: The same for the B-tree of a dataset's chunks.
    """

    def __init__(self, region: Region) -> None:
        begin = next((at for at in _FIRST_PLACES if _signed(region, at)), None)
        if begin is None:
            raise Damage("it has no HDF5 signature")
        region.claim(0, begin, _USER_BLOCK)
        self.region = region.sub(begin, region.span.size - begin)
        self.span = self.region.span
        self.leaf_k, self.internal_k, self.chunk_k = 4, 16, 32  # the library's defaults
        self._visits = 0
        self._entered: set[int] = set()
        version = self.span.u8(8)  # version number of the superblock
        if version in (0, 1):
            self.offset_size, self.length_size = self.span.u8(13), self.span.u8(14)  # size of offsets, of lengths
            self._check_widths()
            self.root = self._root_of_version_0(version)
        elif version in (2, 3):
            self.offset_size, self.length_size = self.span.u8(9), self.span.u8(10)  # size of offsets, of lengths
            self._check_widths()
            self.root = self._root_of_version_2()
        else:
            raise Unread(f"its HDF5 superblock has version {version}")

    def address(self, at: int) -> int | None:
        """The address stored at `at`, or `None` when it is undefined: nothing was allocated."""
        value = self.span.uint(at, self.offset_size)
        return None if value == (1 << 8 * self.offset_size) - 1 else value  # "undefined address": all bits set

    def length(self, at: int) -> int:
        """The size stored at `at`."""
        return self.span.uint(at, self.length_size)

    def visit(self) -> None:
        """Count a visit to a node; a hostile file may cause many with few bytes."""
        self._visits += 1
        check_parts(self._visits)
        self.span.work.spend(4 * RECORD)
        if self._visits > self.span.size // 16 + 64:
            raise Damage("its parts refer to each other more often than a file of this size can need")

    def enter(self, at: int) -> None:
        """Count a visit to a node that has one place in one tree.

        Raises:
            Damage: it was visited before.
        """
        self.visit()
        if at in self._entered:
            raise Damage(f"its part at byte {at:,} is used twice, or its tree has no end")
        self._entered.add(at)

    def expect(self, at: int, signature: bytes) -> None:
        """Check the signature of the part at `at`."""
        if self.span.raw(at, len(signature)) != signature:
            raise Damage(f"its part at byte {at:,} should begin with {signature.decode()}")

    def _check_widths(self) -> None:
        if self.offset_size not in (2, 4, 8) or self.length_size not in (2, 4, 8):
            raise Damage(f"its addresses claim {self.offset_size} bytes, its sizes {self.length_size}")

    def _root_of_version_0(self, version: int) -> int:
        """Versions 0 and 1 (II.A, "Superblock (Versions 0 and 1)"); returns the address of the root's header."""
        self.leaf_k, self.internal_k = self.span.u16(16), self.span.u16(18)  # group leaf node K, internal node K
        at = 24  # after the file consistency flags
        if version == 1:
            self.chunk_k = self.span.u16(24)  # indexed storage internal node K
            at = 28
        # addresses: base, free space information, end of file, driver information block
        self._check_end(at + 2 * self.offset_size)
        entry = at + 4 * self.offset_size  # root group symbol table entry: two addresses and 24 bytes
        self.region.claim(0, entry + 2 * self.offset_size + 24, _SUPERBLOCK)
        return self.span.uint(entry + self.offset_size, self.offset_size)  # object header address

    def _root_of_version_2(self) -> int:
        """Versions 2 and 3; returns the address of the root's header."""
        # addresses from byte 12 on: base, superblock extension, end of file, root group object header; checksum
        self._check_end(12 + 2 * self.offset_size)
        self.region.claim(0, 12 + 4 * self.offset_size + 4, _SUPERBLOCK)
        return self.span.uint(12 + 3 * self.offset_size, self.offset_size)

    def _check_end(self, at: int) -> None:
        end = self.span.uint(at, self.offset_size)
        if end > self.span.size + self.region.base:
            raise Damage(f"it should have {end:,} bytes and has {self.span.size:,}: it has been cut off")


def _signed(region: Region, at: int) -> bool:
    size = len(_SIGNATURE)
    return at + size <= region.span.size and region.span.raw(at, size) == _SIGNATURE


class Message(NamedTuple):
    """A header message."""

    kind: int
    """One of the types above, or another."""
    at: int
    """Where its data begins."""
    size: int


def read_header(h5: H5, at: int) -> list[Message]:
    """The messages of the object header at `at`; all of it is claimed.

    Raises:
        Damage: it is broken, or its continuations lead nowhere.
        Unread: it uses shared messages.
    """
    h5.visit()
    if h5.span.raw(at, 4) == b"OHDR":
        return _read_version_2(h5, at)
    if h5.span.u8(at) != 1:
        raise Damage(f"its object header at byte {at:,} has version {h5.span.u8(at)}")
    return _read_version_1(h5, at)


def _read_version_1(h5: H5, at: int) -> list[Message]:
    """IV.A.1.a: messages follow a prefix of 16 bytes, aligned to 8."""
    h5.region.claim(at, 16, _HEADERS)
    blocks = [(at + 16, h5.span.u32(at + 8))]  # object header size: bytes of messages in this block
    messages: list[Message] = []
    for start, size in blocks:  # grows with every continuation
        h5.enter(start)
        h5.span.sub(start, size)
        place = start
        while place + 8 <= start + size:
            # type, size and flags of the message; 3 reserved bytes
            kind, length, flags = h5.span.u16(place), h5.span.u16(place + 2), h5.span.u8(place + 4)
            message = Message(kind, place + 8, length)
            _claim(h5, message, 8, flags)
            messages.append(message)
            if kind == _CONTINUATION:
                blocks.append(_continuation(h5, place + 8))
            place += 8 + length
        h5.region.claim(place, start + size - place, RESERVED)
    return messages


def _read_version_2(h5: H5, at: int) -> list[Message]:
    """IV.A.1.b: messages are packed, and every block ends with a checksum of 4 bytes."""
    flags = h5.span.u8(at + 5)  # after the signature and the version
    prefix = 6
    prefix += 16 if flags & (1 << 5) else 0  # access, modification, change and birth times are stored
    prefix += 4 if flags & (1 << 4) else 0  # maximum of compact and minimum of dense attributes are stored
    width = 1 << (flags & 0b11)  # bytes of the field "size of chunk #0"
    size = h5.span.uint(at + prefix, width)
    head = 6 if flags & (1 << 2) else 4  # type, size (2 bytes), flags; creation order (2 bytes) if it is tracked
    h5.region.claim(at, prefix + width, _HEADERS)
    h5.region.claim(at + prefix + width + size, 4, _HEADERS)  # checksum
    blocks = [(at + prefix + width, size)]
    messages: list[Message] = []
    for start, length in blocks:  # grows with every continuation
        h5.enter(start)
        for message, message_flags in _packed_messages(h5.span.sub(start, length), start, head):
            _claim(h5, message, head, message_flags)
            messages.append(message)
            if message.kind == _CONTINUATION:
                begin, block_size = _continuation(h5, message.at)
                h5.expect(begin, b"OCHK")
                h5.region.claim(begin, 4, _HEADERS)  # signature
                h5.region.claim(begin + block_size - 4, 4, _HEADERS)  # checksum
                blocks.append((begin + 4, block_size - 8))
        used = messages[-1].at + messages[-1].size if messages else start
        # the gap, too small for another message; the last message may be another block's
        h5.region.claim(used, start + length - used if start <= used else 0, RESERVED)
    return messages


def _packed_messages(block: Span, start: int, head: int) -> Iterator[tuple[Message, int]]:
    """The messages of a block of version 2, each with its flags."""
    at = 0
    while at + head <= block.size:
        message = Message(block.u8(at), start + at + head, block.u16(at + 1))  # type, data, size
        yield message, block.u8(at + 3)
        at += head + message.size


def _continuation(h5: H5, at: int) -> tuple[int, int]:
    """IV.A.2.q: offset and length of the block in which the header continues."""
    address = h5.address(at)
    if address is None:
        raise Damage(f"the object header before byte {at:,} continues nowhere")
    return address, h5.length(at + h5.offset_size)


def _claim(h5: H5, message: Message, head: int, flags: int) -> None:
    """Claim a message with its head of `head` bytes, except for the numbers of a compact dataset."""
    h5.span.work.spend(4 * RECORD)
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
    """Start and size of a small dataset's numbers inside its data layout message (IV.A.2.i), or `None`."""
    if message.kind != LAYOUT:
        return None
    version = span.u8(message.at)
    is_compact = span.u8(message.at + (1 if version >= _LAYOUT_3 else 2)) == 0  # layout class
    if not is_compact:
        return None
    if version >= _LAYOUT_3:
        start, size = message.at + 4, span.u16(message.at + 2)  # size, raw data
    else:
        start = message.at + 8 + 4 * span.u8(message.at + 1) + 4  # dimensionality; sizes of them; size; raw data
        size = span.u32(start - 4)
    span.sub(start, size)
    return start, size


def attribute_name(span: Span, message: Message) -> str:
    """The name of an attribute (IV.A.2.m)."""
    return span.text(attribute_name_at(span, message), span.u16(message.at + 2)).rstrip("\0")  # name size


def attribute_name_at(span: Span, message: Message) -> int:
    """Where the name of an attribute begins, after three sizes and, in version 3, the encoding of the name."""
    return message.at + (9 if span.u8(message.at) == 3 else 8)  # noqa: PLR2004 - the message's version


def label_of_attribute(span: Span, message: Message) -> Label:
    """What an attribute is for, by its name."""
    return _TRAINING if attribute_name(span, message) in _TRAINING_NAMES else _ATTRIBUTES
