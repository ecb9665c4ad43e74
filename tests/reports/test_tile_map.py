"""The treemap of an artifact: its layout, what is said of it, and that it is a tree whatever the JSON says."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.core.report import Tiles
from edgecheck.reports import tile_map
from edgecheck.reports.tile_map import Rectangle, Tile, squarified
from tests.reports.sample import TILES

WHOLE = Rectangle(10.0, 20.0, 640.0, 300.0)


@given(st.lists(st.integers(0, 10**9), max_size=30))
def test_areas_are_as_the_sizes_and_fill_the_place_without_overlap(sizes: list[int]) -> None:
    placed = squarified(sizes, WHOLE)
    total = sum(sizes)
    for size, place in zip(sizes, placed, strict=True):
        assert place.area == pytest.approx(WHOLE.area * size / total if total else 0.0, rel=1e-6, abs=1e-3)
        assert place.x >= WHOLE.x - 1e-6
        assert place.y >= WHOLE.y - 1e-6
        assert place.x + place.width <= WHOLE.x + WHOLE.width + 1e-6
        assert place.y + place.height <= WHOLE.y + WHOLE.height + 1e-6
    for one, other in combinations(placed, 2):
        across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert min(across, down) < 1e-6


def test_the_example_of_the_paper() -> None:
    """Bruls, Huizing and van Wijk, figure 4: 6 x 4 into 6, 6, 4, 3, 2, 2, 1."""
    placed = squarified([6, 6, 4, 3, 2, 2, 1], Rectangle(0, 0, 6, 4))
    assert [(round(p.width, 2), round(p.height, 2)) for p in placed] == [
        (3.0, 2.0),
        (3.0, 2.0),
        (1.71, 2.33),
        (1.29, 2.33),
        (1.2, 1.67),
        (1.2, 1.67),
        (0.6, 1.67),
    ]


def test_parts_lie_within_their_part() -> None:
    drawn = tile_map.tile_map(TILES)
    by_name = {tile.told.partition(":")[0]: tile for tile in drawn.tiles}
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
def test_what_is_no_tree_is_refused(change: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TILES, **change)  # type: ignore[arg-type]
