"""Squarified rectangles and how they nest. Covers `reports/tile_map.py`."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.reports.tile_map import Rectangle, nested, parts_inside, squarified

WHOLE = Rectangle(x=10.0, y=20.0, width=640.0, height=300.0)


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
    placed = squarified([6, 6, 4, 3, 2, 2, 1], Rectangle(x=0, y=0, width=6, height=4))
    assert [(round(p.width, 2), round(p.height, 2)) for p in placed] == [
        (3.0, 2.0),
        (3.0, 2.0),
        (1.71, 2.33),
        (1.29, 2.33),
        (1.2, 1.67),
        (1.2, 1.67),
        (0.6, 1.67),
    ]


PARENTS, SIZES = (-1, 0, 0, 1, 1, 2), (10, 9, 1, 5, 4, 1)


def test_the_part_comes_first_and_each_before_those_inside_it() -> None:
    placed = list(nested(0, WHOLE, SIZES, parts_inside(PARENTS)))
    order = [one.part for one in placed]
    assert (order[0], sorted(order)) == (0, [0, 1, 2, 3, 4, 5])
    assert all(order.index(parent) < order.index(part) for part, parent in enumerate(PARENTS) if parent >= 0)


def test_an_opened_part_fills_the_canvas_and_shows_only_what_is_inside() -> None:
    placed = list(nested(1, WHOLE, SIZES, parts_inside(PARENTS)))
    assert {one.part for one in placed} == {1, 3, 4}
    assert placed[0].place == WHOLE
    assert [one.part for one in placed if one.is_opened] == [1]


def test_what_would_be_too_thin_to_see_is_not_drawn() -> None:
    placed = list(nested(0, WHOLE, (10**9 + 1, 10**9, 1), parts_inside((-1, 0, 0))))
    assert [one.part for one in placed] == [0, 1]


def test_without_room_a_part_is_not_opened() -> None:
    small = Rectangle(x=0, y=0, width=50, height=300)
    assert [one.is_opened for one in nested(0, small, SIZES, parts_inside(PARENTS))] == [False]
