"""The claims on the bytes of a file: every byte is accounted for once, claimed or not."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from edgecheck.anatomy.accounting.limits import RECORD, Work
from edgecheck.anatomy.encodings.span import Span
from edgecheck.anatomy.values import Extent, FileBytes, Kind, Part

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
        work: The budget of the model, to which claims are charged.
    """

    def __init__(self, alignment: int, work: Work) -> None:
        self.alignment = alignment
        self._work = work
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
        self._work.spend(RECORD)
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
        if overlaps:
            self._prefer_tensors(sums)
        parts = sorted(
            (Part(kind, what, size) for (kind, what), size in sums.items() if size),
            key=lambda part: (-part.size, part.what),
        )
        return FileBytes(
            name=name,
            size=span.size,
            parts=tuple(parts),
            gaps=tuple(gaps[:_MOST_LISTED]),
            overlaps=tuple(overlaps[:_MOST_LISTED]),
        )

    def _prefer_tensors(self, sums: dict[tuple[Kind, str], int]) -> None:
        """Count bytes that are a tensor's and something else's as the tensor's, which rows of tensors add up to."""
        for label in set(self._labels):
            sums[label.kind, label.what] = 0
        claims = [(self._starts[index], self._stops[index], self._labels[index]) for index in self._in_order()]
        tensors = _Union((start, stop) for start, stop, label in claims if label is TENSOR)
        sums[TENSOR.kind, TENSOR.what] += tensors.within(0, tensors.stop)
        cursor = 0
        for start, stop, label in claims:
            if label is not TENSOR and stop > cursor:
                begin = max(start, cursor)
                sums[label.kind, label.what] += stop - begin - tensors.within(begin, stop)
                cursor = stop

    def _in_order(self) -> list[int]:
        """The claims by their starts, the longest first: two stable sorts need less memory than one by pairs."""
        order = sorted(range(len(self._starts)), key=self._stops.__getitem__, reverse=True)
        order.sort(key=self._starts.__getitem__)
        return order

    def _fill(self, span: Span, hole: Extent, sums: dict[tuple[Kind, str], int], gaps: list[Extent]) -> None:
        """Count a hole between claims: as alignment when it is short and all zeros, else as a gap."""
        area = next((area for area in self._free_areas if area[0] <= hole.start < area[1]), None)
        alignment = self.alignment if area is None else area[2]
        label = _UNCLAIMED if area is None else _FREE
        if hole.size < alignment and not span.raw(*hole).strip(b"\0"):
            label = _PADDING
        else:
            gaps.append(hole)
        sums[label.kind, label.what] += hole.size


class _Union:
    """The bytes that are in any of some extents, which come in the order of their starts."""

    def __init__(self, extents: Iterable[tuple[int, int]]) -> None:
        self.stop = 0
        self._starts = array("q")
        self._stops = array("q")
        self._before = array("q")
        """Bytes of the union before each of its parts."""
        total = 0
        for start, stop in extents:
            if self._stops and start <= self.stop:
                total += max(0, stop - self.stop)
                self._stops[-1] = max(stop, self.stop)
            else:
                self._before.append(total)
                self._starts.append(start)
                self._stops.append(stop)
                total += stop - start
            self.stop = self._stops[-1]

    def within(self, start: int, stop: int) -> int:
        """How many of the bytes from `start` to `stop` are in the union."""
        return self._until(stop) - self._until(start)

    def _until(self, at: int) -> int:
        index = bisect_right(self._starts, at) - 1
        return self._before[index] + min(at, self._stops[index]) - self._starts[index] if index >= 0 else 0


class Divided(NamedTuple):
    """Bytes that several may use, each assigned to the first of them in the order of their numbers."""

    stored: dict[int, int]
    """By number: the bytes that nothing before it uses."""
    owners: dict[int, int]
    """By number: to which the first byte of its first extent is assigned."""


class Used(NamedTuple):
    """An extent of a file and who uses it."""

    start: int
    stop: int
    number: int
    """Of its user."""


def divide(extents: list[Used]) -> Divided:
    """Divide extents of a file in one pass over their starts."""
    stored: dict[int, int] = defaultdict(int)
    owners: dict[int, int] = {}
    active: list[tuple[int, int]] = []  # a heap of numbers, each with the stop of its extent
    cursor = 0
    last = max((extent.stop for extent in extents), default=0)
    for start, stop, number in (*sorted(extents, key=lambda one: (one.start, one.number)), Used(last, last, -1)):
        while active and (cursor < start or active[0][1] <= cursor):
            owner, end = active[0]
            if end <= cursor:
                heappop(active)
                continue
            step = min(end, start)
            stored[owner] += step - cursor
            cursor = step
        cursor = max(cursor, start)
        if stop > start:
            heappush(active, (number, stop))
            owners.setdefault(number, active[0][0])
    return Divided(stored, owners)
