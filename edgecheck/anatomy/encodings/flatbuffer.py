"""Flatbuffers without generated code: tables, vectors and strings, each claimed when it is read.

https://flatbuffers.dev/internals/, sections "Tables", "Strings and Vectors". All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import ITEM, RECORD, check_parts
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.values import Kind

_VTABLES = Label(Kind.STRUCTURE, "vtables")
#: A vtable begins with two uint16: its own size in bytes, and that of the table; the fields' offsets follow.
_VTABLE_HEAD = 4
#: A table has at least the 4 bytes of its offset to the vtable, and 4 more in whatever points to it.
_SMALLEST_TABLE = 8


class Flat:
    """A flatbuffer in a region.

    Offsets only lead forward, so that nothing is cyclic; but many may lead to one table, so that a small file
    could make a reader visit billions of tables. More visits than tables fit into the file are refused.
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.span = region.span
        self._vtables: dict[int, tuple[int, ...]] = {}
        self._seen: set[int] = set()
        self._visits = 0
        self._visits_left = region.span.size // _SMALLEST_TABLE + 1

    def follow(self, at: int) -> int:
        """Where the offset stored at `at` leads."""
        return at + self.span.u32(at)  # uoffset_t: relative to where it is stored

    def table(self, at: int, label: Label) -> Table:
        """The table at `at`."""
        self._visits_left -= 1
        self._visits += 1
        check_parts(self._visits)
        self.span.work.spend(RECORD)
        if self._visits_left < 0:
            raise Damage("its tables are referenced more often than a file of this size has room for")
        vtable = at - self.span.i32(at)  # soffset_t: subtracted, unlike all others
        slots = self._vtables.get(vtable)
        if slots is None:
            slots = self._vtables[vtable] = self._vtable(vtable)
        if self._fresh(at):
            self.span.sub(at, slots[1])  # the vtable's second uint16: the size of the table
            self.region.claim(at, slots[1], label)
        return Table(self, at, slots)

    def vector(self, at: int, width: int, label: Label) -> tuple[int, int]:
        """Where the elements of the vector at `at` begin, and how many there are."""
        count = self.span.u32(at)  # a vector begins with its number of elements
        self.span.sub(at, 4 + count * width)
        if self._fresh(at):
            self.region.claim(at, 4 + count * width, label)
        return at + 4, count

    def string(self, at: int, label: Label) -> str:
        """The string at `at`; its length and its final zero byte are claimed with it."""
        size = self.span.u32(at)  # a string is a vector of bytes, with a zero byte after it that does not count
        if self._fresh(at):
            self.span.sub(at, 4 + size + 1)
            self.region.claim(at, 4 + size + 1, label)
        return self.span.text(at + 4, size)

    def _vtable(self, at: int) -> tuple[int, ...]:
        size = self.span.u16(at)
        if size < _VTABLE_HEAD or size % 2:
            raise Damage(f"the vtable at byte {at:,} claims {size} bytes")
        self.span.work.spend(RECORD + ITEM * size)
        slots = struct.unpack(f"<{size // 2}H", self.span.raw(at, size))
        self.region.claim(at, size, _VTABLES)
        return slots

    def _fresh(self, at: int) -> bool:
        """Whether this is the first visit; strings and empty vectors may be shared, and are claimed once."""
        if at in self._seen:
            return False
        self.span.work.spend(RECORD)
        self._seen.add(at)
        return True


class Table:
    """One table; `slot` is where in the vtable a field's offset is: 4 for the first field, 6 for the next."""

    __slots__ = ("_flat", "_slots", "at")

    def __init__(self, flat: Flat, at: int, slots: tuple[int, ...]) -> None:
        self._flat = flat
        self._slots = slots
        self.at = at

    def place(self, slot: int) -> int:
        """Where the field is, or 0 when the table does not have it."""
        index = slot >> 1  # slots count bytes, the vtable holds uint16
        offset = self._slots[index] if index < len(self._slots) else 0
        return self.at + offset if offset else 0  # 0: the field has its default

    def u8(self, slot: int) -> int:
        """A byte, 0 by default."""
        place = self.place(slot)
        return self._flat.span.u8(place) if place else 0

    def i32(self, slot: int) -> int:
        """A signed 32-bit integer, 0 by default."""
        place = self.place(slot)
        return self._flat.span.i32(place) if place else 0

    def u32(self, slot: int) -> int:
        """An unsigned 32-bit integer, 0 by default."""
        place = self.place(slot)
        return self._flat.span.u32(place) if place else 0

    def u64(self, slot: int) -> int:
        """An unsigned 64-bit integer, 0 by default."""
        place = self.place(slot)
        return self._flat.span.u64(place) if place else 0

    def text(self, slot: int, label: Label) -> str:
        """A string, "" by default."""
        place = self.place(slot)
        return self._flat.string(self._flat.follow(place), label) if place else ""

    def vector(self, slot: int, width: int, label: Label) -> tuple[int, int]:
        """Where the elements of a vector begin, and how many there are; (0, 0) by default."""
        place = self.place(slot)
        return self._flat.vector(self._flat.follow(place), width, label) if place else (0, 0)

    def content(self, slot: int, label: Label) -> tuple[int, int]:
        """Where a vector of bytes begins, and its size; only its length is claimed. (0, 0) by default."""
        place = self.place(slot)
        if not place:
            return 0, 0
        at = self._flat.follow(place)
        self._flat.vector(at, 0, label)
        self._flat.span.sub(at + 4, self._flat.span.u32(at))
        return at + 4, self._flat.span.u32(at)

    def numbers(self, slot: int, width: int, label: Label) -> tuple[int, int]:
        """Where the numbers of a vector begin, and their count; only the length is claimed. (0, 0) by default."""
        at, count = self.content(slot, label)
        if count:
            self._flat.span.sub(at, count * width)
        return at, count

    def ints(self, slot: int, label: Label) -> tuple[int, ...]:
        """A vector of signed 32-bit integers, () by default."""
        at, count = self.vector(slot, 4, label)
        self._flat.span.work.spend(4 * ITEM * count)  # each is an integer object
        return struct.unpack(f"<{count}i", self._flat.span.raw(at, 4 * count)) if count else ()

    def table(self, slot: int, label: Label) -> Table | None:
        """A table, or `None`."""
        place = self.place(slot)
        return self._flat.table(self._flat.follow(place), label) if place else None

    def tables(self, slot: int, label: Label) -> Iterator[Table]:
        """A vector of tables, empty by default."""
        at, count = self.vector(slot, 4, label)
        for place in range(at, at + 4 * count, 4):
            yield self._flat.table(self._flat.follow(place), label)

    def claim(self, slots: Mapping[int, int], label: Label) -> None:
        """Claim the vectors and strings in `slots`, by the width of their elements; strings have the width 0."""
        for slot, width in slots.items():
            if width:
                self.vector(slot, width, label)
            else:
                self.text(slot, label)
