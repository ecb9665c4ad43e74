"""A treemap as SVG needs it, rectangles with their words; for the report of a check also the table of the same parts.

It is drawn here, not by a script, so that a page can be printed and needs no JavaScript.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgecheck.core.metrics import SIZE
from edgecheck.core.report import Tiles
from edgecheck.reports.wording import clean, shortened

# Bruls, Huizing and van Wijk, Squarified Treemaps, 2000: https://doi.org/10.1007/978-3-7091-6783-0_4

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


#: The canvas in the report of a check.
WIDTH, HEIGHT = 640, 300

#: Pixels per character, at most.
CHARACTER = 7.0

_MOST_ROWS = 100

#: CSS class of a tile, and what its colour stands for, by the group that most of it belongs to.
LOOKS = {
    "weight": ("weights", "weights"),
    "constant": ("constants", "constants"),
    "vocabulary": ("constants", "constants"),
    "structure": ("structure", "structure"),
    "metadata": ("structure", "structure"),
}
_OTHER = ("useless", "what no inference needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One rectangle."""

    place: Rectangle
    look: str
    """Its CSS class."""
    label: str
    """Its label; empty where it does not fit."""
    details: str
    """Shown when the mouse is over it: path, size, share, group, type and shape."""
    has_parts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TileMap:
    """The drawing of an artifact's parts, and the table of them."""

    summary: str
    tiles: tuple[Tile, ...]
    legend: tuple[tuple[str, str], ...]
    """CSS class and words of each colour that occurs."""
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tile_map(parts: Tiles) -> TileMap:
    """The drawing and the table for the report of a check."""
    leaves = _leaves(parts)
    return TileMap(
        summary=summary(parts),
        tiles=drawn(parts, canvas(WIDTH, HEIGHT), lambda group: LOOKS.get(group, _OTHER)[0]),
        legend=tuple(dict.fromkeys(LOOKS.get(parts.group[at], _OTHER) for at in leaves if parts.size[at])),
        heading=("part", "size", "share", "group", "type and shape"),
        rows=_rows(parts, leaves),
    )


def canvas(width: float, height: float) -> Rectangle:
    """The area of an SVG of this size that its outermost tile takes, so that the line around it is not cut off."""
    return Rectangle(x=0.5, y=0.5, width=width - 1, height=height - 1)


def summary(parts: Tiles) -> str:
    """The name, the size and the three largest parts, in a sentence: a treemap for those who do not see it."""
    total = parts.size[0]
    largest = ", ".join(f"{_path(parts, at)} {_share(parts.size[at], total)}" for at in _leaves(parts)[:3])
    return f"{clean(parts.name[0])}, {_size(total)}: the largest parts are {largest}."


def _leaves(parts: Tiles) -> list[int]:
    """The parts with none inside, the largest first."""
    return sorted(set(range(len(parts.parent))) - set(parts.parent), key=lambda at: (-parts.size[at], at))


def drawn(parts: Tiles, within: Rectangle, look: Callable[[str], str]) -> tuple[Tile, ...]:
    """The tiles that are drawn within a rectangle, an outer one before those inside it.

    Args:
        parts: What they stand for.
        within: The place of the first part.
        look: Group -> CSS class.
    """
    return tuple(
        Tile(
            place=one.place,
            look=look(parts.group[one.part]),
            label=_label(parts, one.part, one.place),
            details=_details(parts, one.part),
            has_parts=one.is_opened,
        )
        for one in nested(0, within, parts.size, parts_inside(parts.parent))
    )


def _label(parts: Tiles, at: int, place: Rectangle) -> str:
    if place.width < LEAST_WIDTH or place.height < LEAST_HEIGHT:
        return ""
    name, size = clean(parts.name[at]), _size(parts.size[at])
    room = int((place.width - 10) / CHARACTER)  # with an ellipsis, which is wider than a letter
    return f"{name} {size}" if len(name) + len(size) < room else shortened(name, room)


def _details(parts: Tiles, at: int) -> str:
    size, share = _size(parts.size[at]), _share(parts.size[at], parts.size[0])
    about = (size, share, clean(parts.group[at]), clean(parts.detail[at]))
    return f"{_path(parts, at)}: {', '.join(filter(None, about))}"


def _rows(parts: Tiles, leaves: list[int]) -> tuple[tuple[str, ...], ...]:
    total = parts.size[0]
    rows = [
        (
            _path(parts, at),
            _unbroken(parts.size[at]),
            _share(parts.size[at], total),
            clean(parts.group[at]),
            clean(parts.detail[at]),
        )
        for at in leaves[:_MOST_ROWS]
    ]
    if rest := leaves[_MOST_ROWS:]:
        size = sum(parts.size[at] for at in rest)
        rows.append((f"{len(rest):,} smaller ones", _unbroken(size), _share(size, total), "", ""))
    return tuple(rows)


def _path(parts: Tiles, at: int) -> str:
    """Its name with those of the parts that it is inside of, without the file's."""
    names = []
    while at > 0:
        names.append(clean(parts.name[at]))
        at = parts.parent[at]
    return "/".join(reversed(names)) or clean(parts.name[0])


def _size(size: int) -> str:
    return SIZE.show(size)


def _unbroken(size: int) -> str:
    return _size(size).replace(" ", "\N{NO-BREAK SPACE}")


def _share(size: int, total: int) -> str:
    return f"{size / total:.1%}" if total else ""
