"""HDF5's global heaps: the texts of attributes and datasets whose length varies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.hdf5.datasets import read_dtype, read_shape
from edgecheck.anatomy.hdf5.headers import ATTRIBUTE, H5, RESERVED, Message, attribute_name, label_of_attribute
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAPS = Label(Kind.STRUCTURE, "heaps")
_LONGEST_TEXT = 4096


class GlobalHeaps:
    """The collections of a file, each entered when it is first asked for."""

    def __init__(self, h5: H5) -> None:
        self._h5 = h5
        self._objects: dict[int, dict[int, tuple[int, int]]] = {}
        self._taken: set[tuple[int, int]] = set()
        self._reference = 8 + h5.offset_size
        """Bytes of a reference: a length, a collection's address, an object's number."""

    def references(self, at: int, size: int) -> Iterator[tuple[int, int]]:
        """Start and size of each object to which the references at `at` lead, once."""
        for place in range(at, at + size - self._reference + 1, self._reference):
            address = self._h5.address(place + 4)
            number = self._h5.span.u32(place + 4 + self._h5.offset_size)
            if not address or (address, number) in self._taken:
                continue
            found = self._collection(address).get(number)
            if found is not None:
                self._taken.add((address, number))
                yield found

    def enter_attributes(self, messages: list[Message]) -> None:
        """Enter the texts of the attributes among a header's messages."""
        for message in messages:
            if message.kind == ATTRIBUTE:
                at, size = self._variable_data(message)
                label = label_of_attribute(self._h5.span, message)
                for start, length in self.references(at, size):
                    self._h5.region.claim(start, length, label)

    def text(self, messages: list[Message], name: str) -> str:
        """The attribute called `name`, where it is a text; else ""."""
        for message in messages:
            if message.kind == ATTRIBUTE and attribute_name(self._h5.span, message) == name:
                at, size = self._variable_data(message)
                if not size:
                    return ""
                address, number = self._h5.address(at + 4), self._h5.span.u32(at + 4 + self._h5.offset_size)
                found = self._collection(address).get(number) if address else None
                return self._h5.span.text(found[0], min(found[1], _LONGEST_TEXT)).rstrip("\0") if found else ""
        return ""

    def enter_rest(self) -> None:
        """Enter what nobody asked for."""
        for address, objects in self._objects.items():
            for number, (start, size) in objects.items():
                if (address, number) not in self._taken:
                    self._h5.region.claim(start, size, _HEAPS)

    def _variable_data(self, message: Message) -> tuple[int, int]:
        """Start and size of an attribute's references; of none, when its elements have a fixed size."""
        span, at = self._h5.span, message.at
        version = span.u8(at)
        sizes = [span.u16(at + offset) for offset in (2, 4, 6)]
        places = [at + (9 if version == 3 else 8)]  # noqa: PLR2004 - version 3 also names the encoding
        for size in sizes:
            places.append(places[-1] + (-(-size // 8) * 8 if version == 1 else size))
        dtype = read_dtype(self._h5, places[1])
        if not dtype.variable:
            return places[3], 0
        count = 1
        for length in read_shape(self._h5, places[2]):
            count *= length
        return places[3], min(count * self._reference, max(0, at + message.size - places[3]))

    def _collection(self, address: int) -> dict[int, tuple[int, int]]:
        """By number: start and size of the objects; the free space at the end has the number 0."""
        if address in self._objects:
            return self._objects[address]
        h5, objects = self._h5, dict[int, tuple[int, int]]()
        h5.visit()
        h5.expect(address, b"GCOL")
        head, stop = 8 + h5.length_size, address + h5.length(address + 8)
        h5.span.sub(address, stop - address)
        h5.region.claim(address, head, _HEAPS)
        at = address + head
        while at + head <= stop:
            number, size = h5.span.u16(at), h5.length(at + 8)
            if number == 0:
                break
            if at + head + size > stop:
                raise Damage(f"an object of its heap at byte {address:,} reaches beyond it")
            h5.region.claim(at, head, _HEAPS)
            objects[number] = (at + head, size)
            filling = min(-size % 8, stop - at - head - size)
            h5.region.claim(at + head + size, filling, RESERVED)
            at += head + size + filling
        h5.region.claim(at, stop - at, RESERVED)
        self._objects[address] = objects
        return objects
