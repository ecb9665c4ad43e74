"""The claims on the bytes of a file: every byte is accounted for once, claimed or not."""

from __future__ import annotations

from array import array
from collections import defaultdict

from edgecheck.anatomy.encodings.span import Damage, Span
from edgecheck.anatomy.values import Extent, FileBytes, Kind, Part

#: Claims on one file, at 20 bytes each.
_MOST_CLAIMS = 8_000_000
#: Gaps and overlaps that are listed; the others are still counted.
_MOST_LISTED = 1000


class Label:
    """What some bytes are for; readers keep each label as a constant, because labels are compared by identity."""

    __slots__ = ("kind", "what")

    def __init__(self, kind: Kind, what: str) -> None:
        self.kind = kind
        self.what = what


TENSOR = Label(Kind.TENSORS, "tensors")
_PADDING = Label(Kind.PADDING, "alignment")
_FREE = Label(Kind.PADDING, "freed and not used again")
_UNCLAIMED = Label(Kind.UNCLAIMED, "nothing points here")


class Ledger:
    """The claims on one file, in any order.

    Args:
        alignment: Fewer zeros than this between two claims are padding; 1 allows none.
    """

    def __init__(self, alignment: int = 1) -> None:
        self.alignment = alignment
        self._free_areas: list[tuple[int, int, int]] = []
        self._starts = array("q")
        self._stops = array("q")
        self._labels: list[Label] = []

    def claim(self, start: int, stop: int, label: Label) -> None:
        """Claim bytes `start` to `stop`; adjacent claims with one label are merged when they come in order."""
        if start >= stop:
            return
        if self._labels and self._labels[-1] is label and self._stops[-1] == start:
            self._stops[-1] = stop
            return
        if len(self._labels) == _MOST_CLAIMS:
            raise Damage(f"it has more than {_MOST_CLAIMS:,} parts")
        self._starts.append(start)
        self._stops.append(stop)
        self._labels.append(label)

    def free_area(self, start: int, stop: int, alignment: int) -> None:
        """Mark `start` to `stop` as an area where unclaimed bytes are free space of the format.

        Such bytes count as padding, and are listed as gaps as well.
        """
        self._free_areas.append((start, stop, alignment))

    def settle(self, name: str, span: Span) -> FileBytes:
        """The account of the file `name`, whose bytes are `span`."""
        sums: dict[tuple[Kind, str], int] = defaultdict(int)
        gaps: list[Extent] = []
        overlaps: list[Extent] = []
        cursor = 0
        for index in self._in_order():
            start, stop = self._starts[index], self._stops[index]
            if start > cursor:
                self._fill(span, Extent(cursor, start - cursor), sums, gaps)
            elif start < cursor:
                overlaps.append(Extent(start, min(stop, cursor) - start))
            label = self._labels[index]
            sums[label.kind, label.what] += max(0, stop - max(start, cursor))
            cursor = max(cursor, stop)
        if cursor < span.size:
            self._fill(span, Extent(cursor, span.size - cursor), sums, gaps)
        parts = sorted(
            (Part(kind, what, size) for (kind, what), size in sums.items()),
            key=lambda part: (-part.size, part.what),
        )
        return FileBytes(
            name=name,
            size=span.size,
            parts=tuple(parts),
            gaps=tuple(gaps[:_MOST_LISTED]),
            overlaps=tuple(overlaps[:_MOST_LISTED]),
        )

    def _in_order(self) -> list[int]:
        starts, stops = self._starts, self._stops
        return sorted(range(len(starts)), key=lambda index: (starts[index], -stops[index]))

    def _fill(self, span: Span, hole: Extent, sums: dict[tuple[Kind, str], int], gaps: list[Extent]) -> None:
        """Count a hole between claims: as alignment when it is short and all zeros, else as a gap."""
        area = next((area for area in self._free_areas if area[0] <= hole.start < area[1]), None)
        alignment = self.alignment if area is None else area[2]
        label = _UNCLAIMED if area is None else _FREE
        if hole.size < alignment and not any(span.raw(*hole)):
            label = _PADDING
        else:
            gaps.append(hole)
        sums[label.kind, label.what] += hole.size
