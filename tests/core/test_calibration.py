from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.core.projection import LEAST_SPREAD, Counters, Pair, fitted, project

#: Latency and instructions of networks that take 0.5, 1 and 2 ns for each instruction.
PAIRS = [Pair("a", 0.5e-3, 1e6), Pair("b", 1e-2, 1e7), Pair("c", 0.2, 1e8)]


def test_the_constant_is_the_geometric_mean_and_the_spread_that_of_the_logarithm() -> None:
    constant = fitted(PAIRS, "tflite-runtime")
    assert constant.ns_per_instruction == pytest.approx(1.0)
    assert constant.spread == pytest.approx(math.log(2))
    assert constant.runtime == "tflite-runtime"


@given(st.lists(st.tuples(st.floats(1e-6, 1e3), st.floats(1e3, 1e12)), min_size=2, max_size=20), st.floats(0.01, 100))
def test_a_device_that_is_slower_by_a_factor_has_the_same_spread(
    figures: list[tuple[float, float]], factor: float
) -> None:
    pairs = [Pair("n", *each) for each in figures]
    slower = [Pair("n", factor * each.latency, each.instructions) for each in pairs]
    constant, other = fitted(pairs, "r"), fitted(slower, "r")
    assert other.ns_per_instruction == pytest.approx(factor * constant.ns_per_instruction, rel=1e-9)
    assert other.spread == pytest.approx(constant.spread, abs=1e-6)
    ratios = [each.ns_per_instruction for each in pairs]
    assert constant.ns_per_instruction == pytest.approx(statistics.geometric_mean(ratios), rel=1e-9)
    assert min(ratios) * (1 - 1e-9) <= constant.ns_per_instruction <= max(ratios) * (1 + 1e-9)


def test_projections_of_the_calibration_networks_are_in_the_interval() -> None:
    constant = fitted(PAIRS, "r")
    for pair in PAIRS:
        interval = project(Counters(pair.instructions), constant, "r")
        assert interval.low < pair.latency < interval.high


def test_networks_that_are_all_alike_do_not_make_it_certain() -> None:
    assert fitted(PAIRS[:1] * 3, "r").spread == LEAST_SPREAD


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([], "a spread needs 2 networks or more, not 0"),
        (PAIRS[:1], "or more, not 1"),
        ([*PAIRS, Pair("d", 0.0, 1e6)], r"d took 0\.0 s"),
        ([*PAIRS, Pair("d", math.nan, 1e6)], "d took nan s"),
        ([*PAIRS, Pair("d", 1.0, math.inf)], "inf instructions"),
    ],
)
def test_what_cannot_be_fitted_is_refused(pairs: list[Pair], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fitted(pairs, "r")
