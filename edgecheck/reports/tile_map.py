"""A treemap of an artifact for the HTML report, as places on a canvas: no script, so that it prints and travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.core.metrics import SIZE
from edgecheck.reports.wording import one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgecheck.core.report import Tiles

# RF-SECTION squarified: Rectangles for parts of a whole, as near to squares as they get (Bruls, Huizing and van
# Wijk, 2000).


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


#: The canvas.
WIDTH, HEIGHT = 640, 300

#: The strip of a part that names it above its own parts, and the line around them.
STRIP, MARGIN = 13.0, 1.0

#: Less wide or high than this, a part is drawn whole, and nothing is written on it.
_LEAST_WIDTH, _LEAST_HEIGHT = 28.0, 14.0

#: Pixels per character, at most; and rows of the table.
_CHARACTER = 7.0
_MOST_ROWS = 100

#: Class of a tile and what its colour says, by the group that most of it is.
LOOKS = {
    "weight": ("weights", "weights"),
    "constant": ("constants", "constants"),
    "vocabulary": ("constants", "constants"),
    "structure": ("structure", "structure"),
    "metadata": ("structure", "structure"),
}
_OTHER = ("useless", "what no inference needs")


@dataclass(frozen=True, slots=True)
class Tile:
    """One rectangle."""

    place: Rectangle
    look: str
    words: str
    """Written on it; empty where there is no room."""
    told: str
    """All that is to be said of it."""
    has_parts: bool


@dataclass(frozen=True, slots=True)
class TileMap:
    """The drawing and the table behind it."""

    summary: str
    tiles: tuple[Tile, ...]
    legend: tuple[tuple[str, str], ...]
    """Class and words of each colour that is there."""
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tile_map(parts: Tiles) -> TileMap:
    """The drawing of an artifact's parts."""
    drawn = tuple(_drawn(parts, 0, Rectangle(0.5, 0.5, WIDTH - 1, HEIGHT - 1), _children(parts)))
    leaves = sorted(set(range(len(parts.parent))) - set(parts.parent), key=lambda at: (-parts.size[at], at))
    total = parts.size[0]
    largest = ", ".join(f"{_path(parts, at)} {_share(parts.size[at], total)}" for at in leaves[:3])
    rows = [
        (
            _path(parts, at),
            _unbroken(parts.size[at]),
            _share(parts.size[at], total),
            _group(parts, at),
            _detail(parts, at),
        )
        for at in leaves[:_MOST_ROWS]
    ]
    if rest := leaves[_MOST_ROWS:]:
        size = sum(parts.size[at] for at in rest)
        rows.append((f"{len(rest):,} smaller ones", _unbroken(size), _share(size, total), "", ""))
    return TileMap(
        summary=f"{_name(parts, 0)}, {_size(total)}: the largest parts are {largest}.",
        tiles=drawn,
        legend=tuple(dict.fromkeys(LOOKS.get(parts.group[at], _OTHER) for at in leaves if parts.size[at])),
        heading=("part", "size", "share", "group", "type and shape"),
        rows=tuple(rows),
    )


def _children(parts: Tiles) -> dict[int, list[int]]:
    below: dict[int, list[int]] = {}
    for at, parent in enumerate(parts.parent):
        below.setdefault(parent, []).append(at)
    return below


def _drawn(parts: Tiles, at: int, place: Rectangle, below: dict[int, list[int]]) -> Iterator[Tile]:
    """The part, then its own parts inside of it where there is room for them."""
    waiting = [(at, place)]
    while waiting:
        at, place = waiting.pop()
        own = below.get(at, [])
        opened = bool(own) and place.width >= 2 * _LEAST_WIDTH and place.height >= STRIP + _LEAST_HEIGHT
        yield Tile(place, LOOKS.get(parts.group[at], _OTHER)[0], _written(parts, at, place), _told(parts, at), opened)
        if opened:
            places = squarified([parts.size[each] for each in own], place.inside(MARGIN, STRIP))
            waiting += [pair for pair in zip(own, places, strict=True) if pair[1].area]


def _written(parts: Tiles, at: int, place: Rectangle) -> str:
    if place.width < _LEAST_WIDTH or place.height < _LEAST_HEIGHT:
        return ""
    name, size = _name(parts, at), _size(parts.size[at])
    room = int((place.width - 10) / _CHARACTER)  # with an ellipsis that is wider than a letter
    return f"{name} {size}" if len(name) + len(size) < room else shortened(name, room)


def _told(parts: Tiles, at: int) -> str:
    share = _share(parts.size[at], parts.size[0])
    about = ", ".join(filter(None, (_size(parts.size[at]), share, _group(parts, at), _detail(parts, at))))
    return f"{_path(parts, at)}: {about}"


def _path(parts: Tiles, at: int) -> str:
    """Its name below the file's."""
    names = []
    while at > 0:
        names.append(_name(parts, at))
        at = parts.parent[at]
    return "/".join(reversed(names)) or _name(parts, 0)


def _name(parts: Tiles, at: int) -> str:
    return one_line(parts.name[at])


def _group(parts: Tiles, at: int) -> str:
    return one_line(parts.group[at])


def _detail(parts: Tiles, at: int) -> str:
    return one_line(parts.detail[at])


def _size(size: int) -> str:
    return SIZE.show(size)


def _unbroken(size: int) -> str:
    return _size(size).replace(" ", "\N{NO-BREAK SPACE}")


def _share(size: int, total: int) -> str:
    return f"{size / total:.1%}" if total else ""
