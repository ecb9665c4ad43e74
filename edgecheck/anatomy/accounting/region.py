"""A part of a file that is being read, together with where its bytes are entered."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.unpacking import Unpacked, unpacked
from edgecheck.anatomy.values import Place, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.anatomy.accounting.ledger import Ledger
    from edgecheck.anatomy.encodings.span import Span


class Packing(NamedTuple):
    """The compressed stream that a region lies in."""

    stream: int
    """Index into `Anatomy.streams`."""
    start: int
    """Where the stream begins in the file."""
    content: Unpacked


class Region:
    """Bytes of a file, or of a compressed part of it; offsets are relative to the region.

    Attributes:
        span: The bytes.
        base: Where the region begins, in the file or in what its compressed part unpacks to.
    """

    __slots__ = ("_file", "_ledger", "_packing", "_streams", "base", "span")

    def __init__(self, span: Span, file: int, ledger: Ledger, streams: list[Stream]) -> None:
        self.span = span
        self.base = 0
        self._file = file
        self._ledger = ledger
        self._streams = streams
        self._packing: Packing | None = None

    def sub(self, at: int, size: int) -> Region:
        """The part of `size` bytes at `at`."""
        part = Region(self.span.sub(at, size), self._file, self._ledger, self._streams)
        part.base = self.base + at
        part._packing = self._packing
        return part

    def claim(self, at: int, size: int, label: Label) -> int:
        """Enter `size` bytes at `at`; the answer is what they take in the file, in a compressed part their share."""
        if size <= 0:
            return 0
        self.span.note(self.span.place(at, size))
        start, stop = self.base + at, self.base + at + size
        if self._packing is not None:
            start, stop = (self._packing.start + self._packing.content.place(each) for each in (start, stop))
        self._ledger.claim(start, stop, label)
        return max(0, stop - start)

    def place(self, at: int, size: int) -> Place:
        """Where `size` bytes at `at` lie."""
        return Place(self._file, self.base + at, size, -1 if self._packing is None else self._packing.stream)

    def tensor(self, at: int, size: int) -> tuple[int, tuple[Place, ...]]:
        """Enter a tensor's bytes; the answer is `Tensor.stored` and `Tensor.places`."""
        self.span.place(at, size)
        return self.claim(at, size, TENSOR), (self.place(at, size),)

    def free_area(self, alignment: int) -> None:
        """Say that what nothing claims in the region is free by its format's own rules; see `Ledger`."""
        start, stop = self.base, self.base + self.span.size
        if self._packing is not None:
            start, stop = (self._packing.start + self._packing.content.place(each) for each in (start, stop))
        self._ledger.free_area(start, stop, alignment)

    def claim_around(self, at: int, size: int, holes: list[tuple[int, int]], label: Label) -> None:
        """Enter `size` bytes at `at` but for the `holes`, pairs of start and size in it, which have their own label."""
        cursor = at
        for start, length in sorted(holes):
            self.claim(cursor, start - cursor, label)
            cursor = max(cursor, start + length)
        self.claim(cursor, at + size - cursor, label)

    @contextmanager
    def unpacked(self, at: int, size: int, how: str) -> Iterator[Region]:
        """What the compressed bytes at `at` hold; what stands in the stream is entered by its share of them.

        Raises:
            Damage: it cannot be unpacked, or lies in a compressed part already.
        """
        if self._packing is not None:
            raise Damage(f"the part at byte {at:,} is compressed twice")
        with unpacked(self.span.sub(at, size), how) as content:
            part = Region(content.span, self._file, self._ledger, self._streams)
            self._streams.append(Stream(self._file, self.base + at, content.packed, how))
            part._packing = Packing(len(self._streams) - 1, self.base + at, content)
            yield part
