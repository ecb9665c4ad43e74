"""The anatomy of a model as one HTML file that fetches nothing: a treemap, a table, and the advice."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from edgecheck.anatomy.tables import By, Row
from edgecheck.anatomy.tiles import Tile, Treemap, treemap
from edgecheck.anatomy.values import Kind, Role
from edgecheck.core.report import Tiles
from edgecheck.core.units import Unit, show
from edgecheck.reports import pages, tile_map
from edgecheck.reports.size import SizeReport, words
from edgecheck.reports.tile_map import CHARACTER, LEAST_HEIGHT, LEAST_WIDTH, Rectangle, canvas, nested, parts_inside

MOST_CHANGES = 200

#: Rows of the table; the rest is summed up, so that a browser can hold the page.
MOST_ROWS = 5000


#: Group of a tile -> what its colour stands for, in the order of the legend.
GROUPS: Mapping[str, str] = {
    Role.WEIGHT.value: "weights",
    Role.CONSTANT.value: "constants",
    Role.VOCABULARY.value: "vocabulary",
    Role.OPTIMIZER.value: "optimiser state",
    Role.UNUSED.value: "unused storage",
    Kind.STRUCTURE.value: "structure",
    Kind.METADATA.value: "metadata",
    Kind.PADDING.value: "padding",
    Kind.UNCLAIMED.value: "unclaimed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A row of the table, in words and in numbers to sort by."""

    name: str
    stored: int
    share: str
    memory: int
    params: int
    dtype: str
    shape: str
    zeros: float | None
    tile: int | None
    """Index of its tile in the treemap; None if it has none."""
    is_tensor: bool


def render(report: SizeReport) -> str:
    """The report as one HTML page."""
    script, drawn = pages.text("size.js"), treemap(report.anatomy)
    parts = as_parts(drawn.tiles)
    return pages.template("size.html").render(
        words=words,
        report=report,
        anatomy=report.anatomy,
        growth=report.growth,
        changes=words.changes(report.growth, min(report.view.top or MOST_CHANGES, MOST_CHANGES))
        if report.growth
        else [],
        kinds=_kinds(report),
        lines=_lines(report, drawn),
        summary=tile_map.summary(parts),
        canvas=CANVASES["wide"],
        tiles=tile_map.drawn(parts, tile_map.canvas(*CANVASES["wide"]), "group-{}".format),
        groups={key: name for key, name in GROUPS.items() if any(tile.group == key for tile in drawn.tiles)},
        data=script_data(drawn.tiles),
        look=pages.text("size.css"),
        script=script,
        policy=f"default-src 'none'; script-src {_trusted(script)}; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
    )


def _trusted(script: str) -> str:
    """The hash by which a content security policy allows this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _kinds(report: SizeReport) -> list[tuple[str, int, str]]:
    """Kind, bytes and share, for the kinds that occur."""
    totals = report.anatomy.totals
    sizes = [(kind.value, getattr(totals, kind.value)) for kind in Kind]
    return [(name, size, words.share(size, totals.size)) for name, size in sizes if size]


def _lines(report: SizeReport, drawn: Treemap) -> list[_Line]:
    rows = report.rows[:MOST_ROWS]
    places = drawn.places if report.view.by in (By.LAYER, By.PREFIX) else {}
    lines = [_line(row, report, places.get(row.name) if row.name else None) for row in rows]
    if rest := report.rows[MOST_ROWS:]:
        stored, memory, params = (sum(map(attrgetter(of), rest)) for of in ("stored", "memory", "params"))
        others = Row(
            name=f"({len(rest):,} others)",
            kind=Kind.TENSORS,
            stored=stored,
            memory=memory,
            params=params,
            tensors=len(rest),
        )
        lines.append(_line(others, report, None))
    return lines


def _line(row: Row, report: SizeReport, tile: int | None) -> _Line:
    return _Line(
        name=words.shown(row.name),
        stored=row.stored,
        share=words.share(row.stored, report.anatomy.size),
        memory=row.memory,
        params=row.params,
        dtype=words.shown(row.dtype),
        shape=words.shape(row.shape),
        zeros=(report.zeros or {}).get(row.name) if row.kind is Kind.TENSORS else None,
        tile=tile if row.kind is Kind.TENSORS else None,
        is_tensor=row.kind is Kind.TENSORS,
    )


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
