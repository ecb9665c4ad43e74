"""The layout of a treemap: nested rectangles whose areas are as the sizes, each as near to a square as possible.

Bruls, Huizing and van Wijk, Squarified Treemaps, 2000: https://doi.org/10.1007/978-3-7091-6783-0_4
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

#: The strip of an opened part that holds its name, and the margin around the parts inside it.
STRIP, MARGIN = 13.0, 1.0

#: Narrower or lower than this, a part bears no words; one without room for another of that size inside is not opened.
LEAST_WIDTH, LEAST_HEIGHT = 28.0, 14.0

#: Thinner than this, a part inside another is not drawn: the line around it would cover it.
_THINNEST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """An area of the canvas."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    def inside(self, margin: float, top: float) -> Rectangle:
        """The area within a margin and below a strip at the top; its sides are never negative."""
        return Rectangle(
            x=self.x + margin,
            y=self.y + top,
            width=max(0.0, self.width - 2 * margin),
            height=max(0.0, self.height - top - margin),
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """A part and its rectangle."""

    part: int
    place: Rectangle
    is_opened: bool
    """Whether the parts inside it are drawn."""


def parts_inside(parents: Sequence[int]) -> Mapping[int, Sequence[int]]:
    """Part -> the parts directly inside it, for those that have any."""
    inside: dict[int, list[int]] = {}
    for part, parent in enumerate(parents):
        if parent >= 0:
            inside.setdefault(parent, []).append(part)
    return inside


def nested(
    part: int, within: Rectangle, sizes: Sequence[float], inside: Mapping[int, Sequence[int]]
) -> Iterator[Placed]:
    """The part, then the parts inside it as deep as there is room; each comes after the one that it is inside of.

    Args:
        part: The outermost.
        within: Its rectangle.
        sizes: Part -> size; those inside a part sum to it.
        inside: From `parts_inside`.
    """
    waiting = [(part, within)]
    while waiting:
        part, place = waiting.pop()
        inner = inside.get(part, ())
        is_opened = bool(inner) and place.width >= 2 * LEAST_WIDTH and place.height >= STRIP + LEAST_HEIGHT
        yield Placed(part, place, is_opened)
        if is_opened:
            places = squarified([sizes[each] for each in inner], place.inside(MARGIN, STRIP))
            pairs = [pair for pair in zip(inner, places, strict=True) if _can_be_seen(pair[1])]
            waiting += reversed(pairs)


def _can_be_seen(place: Rectangle) -> bool:
    return min(place.width, place.height) >= _THINNEST


def squarified(sizes: Sequence[float], within: Rectangle) -> list[Rectangle]:
    """A rectangle for each size, in the order given; the areas are as the sizes, and together they fill `within`.

    Args:
        sizes: Not negative; 0 gets a rectangle without area.
        within: The area for all of them.
    """
    total = sum(sizes)
    nothing = Rectangle(x=within.x, y=within.y, width=0.0, height=0.0)
    placed = [nothing] * len(sizes)
    if not total or not within.area:
        return placed
    scale = within.area / total
    waiting = sorted((at for at, size in enumerate(sizes) if size), key=lambda at: -sizes[at])
    while waiting:
        row = _row([sizes[at] * scale for at in waiting], min(within.width, within.height))
        taken, waiting = waiting[: len(row)], waiting[len(row) :]
        rectangles, within = _laid(row, within)
        for at, rectangle in zip(taken, rectangles, strict=True):
            placed[at] = rectangle
    return placed


def _row(areas: Sequence[float], side: float) -> Sequence[float]:
    """The first of `areas` (the largest first) that make up a row along `side`: as many as make it squarer."""
    count, total = 1, areas[0]
    worst = _elongation(areas[0], areas[0], total, side)
    for area in areas[1:]:
        longer = _elongation(areas[0], area, total + area, side)
        if longer > worst:
            break
        count, total, worst = count + 1, total + area, longer
    return areas[:count]


def _elongation(largest: float, smallest: float, total: float, side: float) -> float:
    """Long side over short side, of the most elongated rectangle of a row."""
    across = (total / side) ** 2
    return max(largest / across, across / smallest)


def _laid(row: Sequence[float], within: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """The row along the shorter side, and the area that is left."""
    total = sum(row)
    rectangles = []
    if within.width >= within.height:
        width, y = total / within.height, within.y
        for area in row:
            rectangles.append(Rectangle(x=within.x, y=y, width=width, height=area / width))
            y += area / width
        left = max(0.0, within.width - width)
        return rectangles, Rectangle(x=within.x + width, y=within.y, width=left, height=within.height)
    height, x = total / within.width, within.x
    for area in row:
        rectangles.append(Rectangle(x=x, y=within.y, width=area / height, height=height))
        x += area / height
    left = max(0.0, within.height - height)
    return rectangles, Rectangle(x=within.x, y=within.y + height, width=within.width, height=left)
