"""HDF5's global heaps: the texts of attributes and datasets whose length varies.

HDF5 File Format Specification 3.0, sections III.E (global heap) and IV.B (what refers to it)
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import RECORD
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.hdf5.datasets import read_dtype, read_shape
from edgecheck.anatomy.hdf5.headers import (
    ATTRIBUTE,
    H5,
    RESERVED,
    Message,
    attribute_name,
    attribute_name_at,
    label_of_attribute,
)
from edgecheck.anatomy.values import Kind

_HEAPS = Label(Kind.STRUCTURE, "heaps")
#: Bytes that are read of a text.
_LONGEST_TEXT = 4096


class GlobalHeaps:
    """The heap collections of a file, each read when something first refers to it."""

    def __init__(self, h5: H5) -> None:
        self._h5 = h5
        self._objects: dict[int, dict[int, tuple[int, int]]] = {}
        self._taken: set[tuple[int, int]] = set()
        self._reference = 4 + h5.offset_size + 4  # number of elements; global heap ID: collection address, index

    def references(self, at: int, size: int) -> Iterator[tuple[int, int]]:
        """Start and size of each object to which the references at `at` lead, each object once."""
        for place in range(at, at + size - self._reference + 1, self._reference):
            self._h5.span.work.spend(2 * RECORD)
            address, number = self._heap_id(place)
            if not address or (address, number) in self._taken:
                continue
            found = self._collection(address).get(number)
            if found is not None:
                self._taken.add((address, number))
                yield found

    def claim_attributes(self, messages: list[Message]) -> None:
        """Claim the texts of the attributes among a header's messages."""
        for message in messages:
            if message.kind == ATTRIBUTE:
                at, size = self._variable_data(message)
                label = label_of_attribute(self._h5.span, message)
                for start, length in self.references(at, size):
                    self._h5.region.claim(start, length, label)

    def text(self, messages: list[Message], name: str, *, longest: int = _LONGEST_TEXT) -> str:
        """The attribute called `name`, cut to `longest` bytes, if it is a text of variable length, else ""."""
        for message in messages:
            if message.kind == ATTRIBUTE and attribute_name(self._h5.span, message) == name:
                at, size = self._variable_data(message)
                if not size:
                    return ""
                address, number = self._heap_id(at)
                found = self._collection(address).get(number) if address else None
                return self._h5.span.text(found[0], min(found[1], longest)).rstrip("\0") if found else ""
        return ""

    def claim_rest(self) -> None:
        """Claim the objects that nothing referred to."""
        for address, objects in self._objects.items():
            for number, (start, size) in objects.items():
                if (address, number) not in self._taken:
                    self._h5.region.claim(start, size, _HEAPS)

    def _heap_id(self, at: int) -> tuple[int | None, int]:
        """Address of the collection and index of the object to which the reference at `at` leads."""
        return self._h5.address(at + 4), self._h5.span.u32(at + 4 + self._h5.offset_size)

    def _variable_data(self, message: Message) -> tuple[int, int]:
        """Start and size of an attribute's references (IV.A.2.m); size 0 when its elements have a fixed size."""
        span, at = self._h5.span, message.at
        version = span.u8(at)
        sizes = [span.u16(at + offset) for offset in (2, 4, 6)]  # of name, datatype and dataspace
        places = [attribute_name_at(span, message)]  # where name, datatype, dataspace and data begin
        for size in sizes:
            places.append(places[-1] + (-(-size // 8) * 8 if version == 1 else size))  # version 1 pads each to 8
        dtype = read_dtype(self._h5, places[1])
        if not dtype.variable:
            return places[3], 0
        count = prod(read_shape(self._h5, places[2]))
        return places[3], min(count * self._reference, max(0, at + message.size - places[3]))

    def _collection(self, address: int) -> dict[int, tuple[int, int]]:
        """Start and size of the objects of the collection at `address`, by their index."""
        if address in self._objects:
            return self._objects[address]
        h5, objects = self._h5, dict[int, tuple[int, int]]()
        h5.visit()
        h5.expect(address, b"GCOL")
        head = 8 + h5.length_size  # of the collection: signature, version, reserved, collection size
        stop = address + h5.length(address + 8)
        h5.span.sub(address, stop - address)
        h5.region.claim(address, head, _HEAPS)
        at = address + head
        while at + head <= stop:  # the head of an object is as long: index, reference count, reserved, object size
            number, size = h5.span.u16(at), h5.length(at + 8)
            h5.span.work.spend(4 * RECORD)
            if number == 0:  # the free space at the end
                break
            if at + head + size > stop:
                raise Damage(f"an object of its heap at byte {address:,} reaches beyond it")
            h5.region.claim(at, head, _HEAPS)
            objects[number] = (at + head, size)
            filling = min(-size % 8, stop - at - head - size)  # objects are aligned to 8 bytes
            h5.region.claim(at + head + size, filling, RESERVED)
            at += head + size + filling
        h5.region.claim(at, stop - at, RESERVED)
        self._objects[address] = objects
        return objects
