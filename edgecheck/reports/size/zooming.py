"""What the treemap of the HTML page shows at each zoom: laid out here, so that its script only has to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from edgecheck.anatomy.tiles import Tile
from edgecheck.core.report import Tiles
from edgecheck.core.units import Unit, show
from edgecheck.reports.tile_map import CHARACTER, canvas
from edgecheck.reports.treemap_layout import LEAST_HEIGHT, LEAST_WIDTH, Rectangle, nested, parts_inside

#: Canvas -> width and height; `narrow` is for phones.
CANVASES: Mapping[str, tuple[int, int]] = {"wide": (840, 440), "narrow": (400, 520)}

#: What a tile's area can stand for -> its unit.
MEASURES: Mapping[str, Unit] = {"stored": Unit.BYTES, "memory": Unit.BYTES, "params": Unit.COUNT}

#: A drawing's numbers are in tenths of the canvas's unit: whole numbers are shorter.
_TENTHS = 10

#: A part, then its x, y, width and height; the next part; …
_Drawing = tuple[int, ...]


def script_data(tiles: Sequence[Tile]) -> dict[str, Any]:
    """What the page's script needs, as plain values.

    `drawings[at[canvas][measure][tile]]` is what the treemap shows when that tile is opened. Many are equal (bytes in
    the file are often proportional to parameters) and are there once.
    """
    inside = parts_inside([tile.parent for tile in tiles])
    numbers: dict[_Drawing, int] = {}
    at: dict[str, dict[str, dict[int, int]]] = {}
    for name, (width, height) in CANVASES.items():
        at[name] = {}
        for measure in MEASURES:
            sizes = [getattr(tile, measure) for tile in tiles]
            views = {tile: _drawing(tile, canvas(width, height), sizes, inside) for tile in inside or (0,)}
            at[name][measure] = {tile: numbers.setdefault(view, len(numbers)) for tile, view in views.items()}
    return {
        # Column by column, which takes half the bytes.
        "tiles": {field.name: [getattr(tile, field.name) for tile in tiles] for field in fields(Tile)},
        "shown": {name: [show(getattr(tile, name), unit) for tile in tiles] for name, unit in MEASURES.items()},
        "canvases": {name: list(size) for name, size in CANVASES.items()},
        "label": {"width": LEAST_WIDTH, "height": LEAST_HEIGHT, "character": CHARACTER},
        "drawings": list(map(list, numbers)),
        "at": at,
    }


def _drawing(tile: int, within: Rectangle, sizes: Sequence[int], inside: Mapping[int, Sequence[int]]) -> _Drawing:
    return tuple(
        number
        for one in nested(tile, within, sizes, inside)
        for number in (
            one.part,
            *(round(_TENTHS * side) for side in (one.place.x, one.place.y, one.place.width, one.place.height)),
        )
    )


def as_parts(tiles: Sequence[Tile]) -> Tiles:
    """The tiles by their bytes in the file, as the drawing of a page without a script takes them."""
    return Tiles(
        parent=tuple(tile.parent for tile in tiles),
        name=tuple(tile.name for tile in tiles),
        size=tuple(tile.stored for tile in tiles),
        group=tuple(tile.group for tile in tiles),
        detail=tuple(tile.detail for tile in tiles),
    )
