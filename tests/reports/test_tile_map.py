"""The treemap of an artifact: its drawing, its words, and that it is a tree whatever the JSON says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.core.report import Tiles
from edgecheck.reports import tile_map
from edgecheck.reports.tile_map import Tile
from tests.reports.sample import TILES


def test_parts_lie_within_their_part() -> None:
    drawn = tile_map.tile_map(TILES)
    by_name = {tile.details.partition(":")[0]: tile for tile in drawn.tiles}
    assert set(by_name) == {"net.onnx", "conv", "(structure)", "conv/kernel", "conv/bias"}
    assert within(by_name["conv/kernel"], by_name["conv"])
    assert within(by_name["conv"], by_name["net.onnx"])
    assert by_name["conv"].has_parts
    assert not by_name["conv/kernel"].has_parts


def within(inner: Tile, outer: Tile) -> bool:
    one, other = inner.place, outer.place
    return (
        other.x <= one.x
        and other.y < one.y
        and one.x + one.width <= other.x + other.width
        and one.y + one.height <= other.y + other.height
    )


def test_the_table_sums_to_the_file() -> None:
    drawn = tile_map.tile_map(TILES)
    assert drawn.summary == (
        "net.onnx, 1.50 MB: the largest parts are conv/kernel 92.7%, (structure) 6.7%, conv/bias 0.7%."
    )
    assert [row[0] for row in drawn.rows] == ["conv/kernel", "(structure)", "conv/bias"]
    assert drawn.rows[0][1:] == ("1.39\N{NO-BREAK SPACE}MB", "92.7%", "weight", "Conv, float32, 64 x 3 x 3 x 3")
    assert drawn.legend == (("weights", "weights"), ("structure", "structure"))


def test_more_parts_than_a_table_stands_are_summed_up() -> None:
    many = Tiles(
        parent=(-1, *[0] * 150),
        name=("net", *map(str, range(150))),
        size=(1500, *[10] * 150),
        group=("weight",) * 151,
        detail=("",) * 151,
    )
    assert tile_map.tile_map(many).rows[-1][:3] == ("50 smaller ones", "500\N{NO-BREAK SPACE}B", "33.3%")


def test_an_empty_file_is_drawn_too() -> None:
    drawn = tile_map.tile_map(Tiles(parent=(-1,), name=("net",), size=(0,), group=("weight",), detail=("",)))
    assert len(drawn.tiles) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parent": (-1, 0, 0, 1)}, "not of one length"),
        ({"parent": (0, 0, 0, 1, 1)}, "comes before"),
        ({"parent": (-1, 2, 1, 1, 1)}, "comes before"),
        ({"parent": (-1, -1, 0, 1, 1)}, "comes before"),
        ({"size": (1, 1, 1, -1, 1)}, "negative"),
    ],
)
def test_what_is_not_a_tree_is_refused(change: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TILES, **change)  # type: ignore[arg-type]
