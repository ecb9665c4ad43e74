"""Which board is out of line; the false alarms of the documentation are counted here. Covers `rack.py`."""

from __future__ import annotations

import random

import pytest

from edgecheck.core.metrics import LATENCY_P50, RAM_PEAK
from edgecheck.core.rack import spread


def out(*values: float) -> tuple[str, ...]:
    return spread(LATENCY_P50, dict(zip("abcdefgh", values, strict=False))).out


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((10.0, 10.2, 20.0), ("c",)),
        ((10.0, 10.2, 11.0), ()),  # within what boards in order differ
        ((10.0, 12.0, 14.0), ()),  # all differ alike: none is the odd one
        ((10.0, 10.1, 9.9, 10.2, 6.0), ("e",)),  # a faster one is out of line, too
        ((10.0, 10.1, 9.9, 30.0, 14.0), ("d", "e")),
        ((10.0, 10.1, 9.9, 10.0, 10.2, 30.0, 14.0), ("f", "g")),  # the farthest first
        ((10.0, 10.0, 10.0), ()),
        ((0.0, 0.0, 0.0), ()),
    ],
)
def test_a_board_out_of_line_is_named(values: tuple[float, ...], expected: tuple[str, ...]) -> None:
    assert out(*values) == expected


def test_of_two_boards_none_is_named_but_that_they_differ_is_said() -> None:
    two = spread(LATENCY_P50, {"a": 10.0, "b": 20.0})
    assert (two.out, two.differ) == ((), True)
    assert two.share == pytest.approx(2 / 3)
    assert not spread(LATENCY_P50, {"a": 10.0, "b": 10.5}).differ
    assert not spread(LATENCY_P50, {"a": 10.0}).differ


def test_memory_varies_less_than_times() -> None:
    values = {"a": 100.0, "b": 100.5, "c": 107.0}
    assert spread(LATENCY_P50, values).out == ()
    assert spread(RAM_PEAK, values).out == ("c",)


def test_nothing_has_no_spread() -> None:
    with pytest.raises(ValueError, match="no board"):
        spread(LATENCY_P50, {})


@pytest.mark.parametrize("count", [3, 5, 10, 50])
def test_boards_that_vary_by_two_percent_are_rarely_named_and_a_slow_one_always(count: int) -> None:
    chance = random.Random(7)
    alarms = found = 0
    for _ in range(500):
        values = {str(at): chance.gauss(1.0, 0.02) for at in range(count)}
        alarms += bool(spread(LATENCY_P50, values).out)
        found += spread(LATENCY_P50, values | {"0": 1.5}).out == ("0",)
    assert alarms <= 5
    assert found >= 480
