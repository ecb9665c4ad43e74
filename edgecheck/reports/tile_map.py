"""A treemap as SVG needs it, rectangles with their words; for the report of a check also the table of the same parts.

It is drawn here, not by a script, so that a page can be printed and needs no JavaScript.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgecheck.core.metrics import SIZE
from edgecheck.core.report import Tiles
from edgecheck.reports.treemap_layout import LEAST_HEIGHT, LEAST_WIDTH, Rectangle, nested, parts_inside
from edgecheck.reports.wording import clean, shortened

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
    """Written on it; empty if there is no room."""
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
