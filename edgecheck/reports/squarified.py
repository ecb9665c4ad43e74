"""Rectangles for parts of a whole, as near to squares as they get (Bruls, Huizing and van Wijk, 2000)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place on a canvas."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    def inside(self, margin: float, top: float) -> Rectangle:
        """What is left of it within a margin, and below a strip at its top; nothing of it is negative."""
        return Rectangle(
            self.x + margin,
            self.y + top,
            max(0.0, self.width - 2 * margin),
            max(0.0, self.height - top - margin),
        )


def squarified(sizes: Sequence[float], within: Rectangle) -> list[Rectangle]:
    """A rectangle for each size, in their order, whose areas are as the sizes; together they fill `within`.

    Args:
        sizes: None is negative.
        within: The place for all of them.
    """
    total = sum(sizes)
    placed = [Rectangle(within.x, within.y, 0.0, 0.0)] * len(sizes)
    if not total or not within.area:
        return placed
    scale = within.area / total
    waiting = sorted((at for at, size in enumerate(sizes) if size), key=lambda at: -sizes[at])
    while waiting:
        side = min(within.width, within.height)
        row = _row([sizes[at] * scale for at in waiting], side)
        taken, waiting = waiting[: len(row)], waiting[len(row) :]
        rectangles, within = _laid(row, within)
        for at, rectangle in zip(taken, rectangles, strict=True):
            placed[at] = rectangle
    return placed


def _row(areas: Sequence[float], side: float) -> Sequence[float]:
    """As many of the areas, the largest first, as make a row along `side` squarer."""
    count, total = 1, areas[0]
    worst = _elongation(areas[0], areas[0], total, side)
    for area in areas[1:]:
        longer = _elongation(areas[0], area, total + area, side)
        if longer > worst:
            break
        count, total, worst = count + 1, total + area, longer
    return areas[:count]


def _elongation(largest: float, smallest: float, total: float, side: float) -> float:
    """The long side over the short one, of the rectangle of a row where that is most."""
    across = (total / side) ** 2
    return max(largest / across, across / smallest)


def _laid(row: Sequence[float], within: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """The row along the shorter side, and what it leaves."""
    total = sum(row)
    rectangles = []
    if within.width >= within.height:
        wide, y = total / within.height, within.y
        for area in row:
            rectangles.append(Rectangle(within.x, y, wide, area / wide))
            y += area / wide
        return rectangles, Rectangle(within.x + wide, within.y, max(0.0, within.width - wide), within.height)
    high, x = total / within.width, within.x
    for area in row:
        rectangles.append(Rectangle(x, within.y, area / high, high))
        x += area / high
    return rectangles, Rectangle(within.x, within.y + high, within.width, max(0.0, within.height - high))
