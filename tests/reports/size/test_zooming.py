"""What the treemap shows at each zoom, against the tiles it is made from."""

from __future__ import annotations

from typing import Any

import pytest

from edgecheck.anatomy.tiles import Treemap, treemap
from edgecheck.reports.size.html_report import CANVASES, MEASURES, as_parts, script_data
from edgecheck.reports.tile_map import canvas, drawn
from tests.anatomy.real_anatomies import NAMES, anatomy


def drawing(data: dict[str, Any], name: str, measure: str, tile: int) -> list[tuple[int, list[float]]]:
    """Each tile with its x, y, width and height, as the page's script reads them."""
    numbers: list[int] = data["drawings"][data["at"][name][measure][tile]]
    return [(numbers[at], [tenths / 10 for tenths in numbers[at + 1 : at + 5]]) for at in range(0, len(numbers), 5)]


def branches(found: Treemap) -> set[int]:
    return {tile.parent for tile in found.tiles} - {-1}


@pytest.mark.parametrize("name", NAMES)
def test_every_tile_with_parts_fills_each_canvas_when_it_is_opened(name: str) -> None:
    found = treemap(anatomy(name))
    data = script_data(found.tiles)
    opened = branches(found)
    assert opened
    for form, (width, height) in CANVASES.items():
        for measure in MEASURES:
            assert set(data["at"][form][measure]) == opened
            for tile in opened:
                first, *inner = drawing(data, form, measure, tile)
                assert first == (tile, [0.5, 0.5, width - 1, height - 1])
                shown = {part for part, _ in inner}
                assert all(found.tiles[part].parent in shown | {tile} for part in shown)
                largest = max(getattr(each, measure) for each in found.tiles if each.parent == tile)
                assert bool(shown) is bool(largest), "something is drawn inside, unless all of it is 0"


def test_areas_are_as_the_sizes() -> None:
    found = treemap(anatomy("mtcnn_onet.onnx"))
    data = script_data(found.tiles)
    inner = [
        (tile, width, height)
        for tile, (_, _, width, height) in drawing(data, "wide", "params", 0)
        if found.tiles[tile].parent == 0 and width > 30
    ]
    assert len(inner) > 3
    densities = [width * height / found.tiles[tile].params for tile, width, height in inner]
    assert max(densities) == pytest.approx(min(densities), rel=0.02)


def test_the_first_drawing_is_the_one_that_a_page_without_a_script_has() -> None:
    found = treemap(anatomy("light_inception_v2.onnx"))
    placed = [one.place for one in drawn(as_parts(found.tiles), canvas(*CANVASES["wide"]), str)]
    first = drawing(script_data(found.tiles), "wide", "stored", 0)
    assert len(first) == len(placed) > 50
    for (_, sides), place in zip(first, placed, strict=True):
        assert sides == pytest.approx((place.x, place.y, place.width, place.height), abs=0.051)


def test_equal_drawings_are_there_once() -> None:
    data = script_data(treemap(anatomy("mtcnn_onet.onnx")).tiles)
    assert len(data["drawings"]) == len(set(map(tuple, data["drawings"])))
    at = data["at"]["wide"]
    branch = max(at["stored"])
    assert at["stored"][branch] == at["memory"][branch] == at["params"][branch], "all of it is float32"
