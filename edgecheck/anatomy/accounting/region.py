"""A part of a file that is being read, and the claims on its bytes: each belongs to the first tensor that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import TENSOR, Label, Ledger
from edgecheck.anatomy.accounting.limits import RECORD, STEP
from edgecheck.anatomy.encodings.span import Damage, Span
from edgecheck.anatomy.encodings.streams import Unpacked, unpacked
from edgecheck.anatomy.values import Place, Stream


class Packing(NamedTuple):
    """The compressed stream that contains a region."""

    stream: int
    """Index into `Anatomy.streams`."""
    start: int
    """Where the stream begins in the file."""
    content: Unpacked


class Region:
    """Bytes of a file, or of a compressed part of it; offsets are relative to the region.

    Attributes:
        span: The bytes.
        base: Where the region begins: in the file, or in the unpacked content of its compressed part.
    """

    __slots__ = ("_file", "_ledger", "_packing", "_streams", "base", "span")

    def __init__(self, span: Span, file: int, ledger: Ledger, streams: list[tuple[Stream, Unpacked]]) -> None:
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
        """Claim `size` bytes at `at`; returns how many bytes of the file they take (their share, when compressed)."""
        if size <= 0:
            return 0
        self.span.work.spend(STEP)
        self.span.place(at, size)
        start = self.base + at  # as in `_in_file`, without a call: this is half of reading some models
        stop = start + size
        if self._packing is not None:
            start, stop = self._in_file(at, size)
        self._ledger.claim(start, stop, label)
        return max(0, stop - start)

    def claim_tensor(self, at: int, size: int) -> tuple[int, tuple[Place, ...]]:
        """Claim the bytes of a tensor; returns `Tensor.stored` and `Tensor.places`."""
        self.span.place(at, size)
        return self.claim(at, size, TENSOR), (self.place(at, size),)

    def claim_around(self, at: int, size: int, holes: list[tuple[int, int]], label: Label) -> None:
        """Claim `size` bytes at `at` except for the `holes`, starts and sizes, which have other labels."""
        cursor = at
        for start, length in sorted(holes):
            self.claim(cursor, start - cursor, label)
            cursor = max(cursor, start + length)
        self.claim(cursor, at + size - cursor, label)

    def place(self, at: int, size: int) -> Place:
        """Where `size` bytes at `at` are, as the anatomy names places."""
        return Place(self._file, self.base + at, size, -1 if self._packing is None else self._packing.stream)

    def free_area(self, alignment: int) -> None:
        """Mark the region as one where unclaimed bytes are free space of the format; see `Ledger`."""
        self._ledger.free_area(*self._in_file(0, self.span.size), alignment)

    @contextmanager
    def unpacked(self, at: int, size: int, how: str) -> Iterator[Region]:
        """The content of the compressed bytes at `at`; claims on it are claims on their share of the stream.

        Raises:
            Damage: it cannot be unpacked, or is inside another compressed part.
        """
        if self._packing is not None:
            raise Damage(f"the part at byte {at:,} is compressed twice")
        with unpacked(self.span.sub(at, size), how) as content:
            part = Region(content.span, self._file, self._ledger, self._streams)
            stream = Stream(self._file, self.base + at, content.packed, how)
            self._streams.append((stream, content._replace(span=Span(b"", work=content.span.work))))
            part._packing = Packing(len(self._streams) - 1, self.base + at, content)
            yield part

    def _in_file(self, at: int, size: int) -> tuple[int, int]:
        """Start and stop in the file of `size` bytes at `at`."""
        start, stop = self.base + at, self.base + at + size
        if self._packing is None:
            return start, stop
        begin, content = self._packing.start, self._packing.content
        return begin + content.place(start), begin + content.place(stop)


class Held(NamedTuple):
    """The bytes of a tensor; the fields are those of `Tensor`."""

    stored: int
    places: tuple[Place, ...]
    shares: str


class Owners:
    """Which tensor of a model uses which bytes first: later ones share them."""

    def __init__(self) -> None:
        self._names: dict[tuple[Place, ...], str] = {}

    def hold(self, name: str, region: Region, *extents: tuple[int, int]) -> Held:
        """Claim starts and sizes for the tensor `name`, unless all of them belong to another tensor."""
        region.span.work.spend(2 * RECORD * (1 + len(extents)))
        places = tuple(region.place(at, size) for at, size in extents)
        owner = self._names.setdefault(places, name) if any(place.size for place in places) else name
        if owner is not name:
            return Held(0, places, owner)
        return Held(sum(region.claim_tensor(at, size)[0] for at, size in extents), places, "")
