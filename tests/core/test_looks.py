"""The tables of looks: their error by an independent walk, their shape, and the rule that reads them."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.core import looks
from edgecheck.core.looks import Look
from edgecheck.core.run import LookCount

if TYPE_CHECKING:
    from pathlib import Path

QUANTILES = [0.5, 0.75, 0.9, 0.95, 0.99]
ANY_QUANTILE = st.floats(0.3, 0.999)
EASY = (Look(4, -1, 4), Look(8, 0, 6), Look(16, 2, 9))


def crossing(table: tuple[Look, ...], exceed: float, side: Literal["pass", "fail"]) -> float:
    """The probability that the walk is ever on that side at a look, whatever it was on before: one step at a time."""
    size = table[-1].n + 1
    alive = np.zeros(size)
    alive[0] = 1.0
    crossed, n = 0.0, 0
    for look in table:
        while n < look.n:
            n += 1
            alive[1 : n + 1] = alive[1 : n + 1] * (1 - exceed) + alive[:n] * exceed
            alive[0] *= 1 - exceed
        gone = slice(0, look.pass_at_most + 1) if side == "pass" else slice(look.fail_at_least, size)
        crossed += float(alive[gone].sum())
        alive[gone] = 0
    return crossed


@pytest.mark.parametrize("quantile", QUANTILES[:4])
@pytest.mark.parametrize("side", ["pass", "fail"])
def test_a_model_at_the_boundary_is_misjudged_once_in_a_hundred_at_most(
    quantile: float, side: Literal["pass", "fail"]
) -> None:
    error = crossing(looks.look_table(quantile), 1 - quantile, side)
    assert 0.009 <= error <= 0.01, "and what may be spent is spent, or measuring would take longer than it must"


@pytest.mark.parametrize("side", ["pass", "fail"])
def test_a_model_at_the_boundary_of_p99_is_misjudged_once_in_a_hundred_at_most(side: Literal["pass", "fail"]) -> None:
    table = tuple(look for look in looks.look_table(0.99) if look.n < 20_000)
    assert 0.007 <= crossing(table, 0.01, side) <= 0.01


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_a_model_beyond_the_boundary_is_misjudged_less(quantile: float) -> None:
    table, exceed = looks.look_table(quantile), 1 - quantile
    assert crossing(table, exceed * 1.25, "pass") < 0.004
    assert crossing(table, exceed * 0.75, "fail") < 0.004


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_a_model_clearly_on_one_side_is_decided(quantile: float) -> None:
    table, exceed = looks.look_table(quantile), 1 - quantile
    assert crossing(table, exceed * 0.8, "pass") > 0.999
    assert crossing(table, exceed * 1.25, "fail") > 0.999


def test_the_table_of_p90_begins_like_this() -> None:
    rows = [(look.n, look.pass_at_most, look.fail_at_least) for look in looks.look_table(0.9)[:9]]
    assert rows == [
        (8, -1, 6),
        (12, -1, 7),
        (18, -1, 9),
        (27, -1, 10),
        (41, -1, 13),
        (51, 0, 13),
        (64, 0, 14),
        (80, 1, 17),
        (100, 1, 20),
    ]


def test_the_documentation_shows_the_tables_as_they_are(root: Path) -> None:
    text = (root / "docs" / "explanation" / "statistics.md").read_text("utf-8")
    for look in looks.look_table(0.9)[:10]:
        passing = f"{look.pass_at_most} " if look.pass_at_most >= 0 else ""
        assert f"| {look.n} | {passing}| {look.fail_at_least} |" in text
    for quantile in QUANTILES:
        needed = looks.inferences_needed(quantile)
        assert f"| p{quantile * 100:.0f} | {needed} | {needed * 20:,}, " in text


@settings(max_examples=25, deadline=None)
@given(ANY_QUANTILE, st.sampled_from([0.001, 0.01, 0.05]))
def test_rows_only_ever_rise(quantile: float, error: float) -> None:
    table = looks.look_table(quantile, error=error)
    assert table[0].n >= 8
    for before, after in pairwise(table):
        assert before.n < after.n
        assert -1 <= before.pass_at_most <= after.pass_at_most < after.fail_at_least
        assert 1 <= before.fail_at_least <= after.fail_at_least
    first_pass = next(look.n for look in table if look.pass_at_most >= 0)
    assert first_pass <= max(8, looks.fewest_without(1 - quantile, error * 0.45))


@pytest.mark.parametrize(("quantile", "error"), [(0, 0.01), (1, 0.01), (0.9, 0), (0.9, 0.5), (float("nan"), 0.01)])
def test_no_table_for_what_is_not_a_probability(quantile: float, error: float) -> None:
    with pytest.raises(ValueError, match="no table of looks"):
        looks.look_table(quantile, error=error)


def test_a_sample_of_fixed_size_takes_44_for_p90_and_459_for_p99() -> None:
    assert [looks.fewest_without(1 - quantile, 0.01) for quantile in QUANTILES] == [7, 17, 44, 90, 459]


def test_a_pass_takes_little_more_than_a_sample_of_fixed_size() -> None:
    assert [looks.inferences_needed(quantile) for quantile in QUANTILES] == [8, 19, 51, 104, 529]
    assert looks.inferences_needed(0.99, block=20) == 10_580


@pytest.mark.parametrize(("n", "p"), [(5, 0.5), (40, 0.1), (300, 0.01)])
def test_binomial_probabilities_are_those_of_exact_fractions(n: int, p: float) -> None:
    start, weights = looks.probabilities(n, p)
    share = Fraction(p)
    for k, weight in enumerate(weights, start=start):
        assert weight == pytest.approx(float(math.comb(n, k) * share**k * (1 - share) ** (n - k)), rel=1e-10)
    assert sum(weights) == pytest.approx(1, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_sums_of_counts_are_convolutions(one: list[float], other: list[float]) -> None:
    assert looks.convolved(one, other) == pytest.approx(np.convolve(one, other).tolist())


@pytest.mark.parametrize(
    ("exceedances", "inferences", "block", "decision"),
    [
        (0, 3, 1, ""),
        (4, 4, 1, "fail"),
        (0, 7, 1, ""),
        (0, 8, 1, "pass"),
        (1, 8, 1, ""),
        (5, 8, 1, ""),
        (6, 8, 1, "fail"),
        (2, 15, 1, ""),
        (8, 15, 1, ""),
        (9, 15, 1, "fail"),
        (2, 16, 1, "pass"),
        (2, 99, 1, "pass"),
        (99, 99, 1, ""),
        (0, 79, 10, ""),
        (1, 80, 10, ""),
        (59, 80, 10, ""),
        (60, 80, 10, "fail"),
        (20, 160, 10, "pass"),
        (21, 160, 10, ""),
    ],
)
def test_the_rule_counts_in_blocks_and_between_looks_decides_only_what_both_would(
    exceedances: int, inferences: int, block: int, decision: str
) -> None:
    assert looks.judge(exceedances, inferences, block, EASY) == decision


@pytest.mark.parametrize("said", ["pass", "fail", ""])
@pytest.mark.parametrize(("exceedances", "counted"), [(0, "pass"), (3, ""), (7, "fail")])
def test_a_decision_stands_only_where_the_agent_and_its_counts_agree(said: str, exceedances: int, counted: str) -> None:
    count = LookCount(limit="latency_p90:error", inferences=8, exceedances=exceedances, block=1, decision=said)
    assert looks.decide(count, EASY) == (said if said == counted else "")


LATENCIES = st.lists(st.integers(1, 50), min_size=1, max_size=150)


@given(LATENCIES, st.sampled_from([0.5, 0.9]), st.integers(1, 4), st.integers(0, 51))
def test_a_limit_passes_at_its_upper_bound_and_fails_below_its_lower(
    values: list[int], quantile: float, block: int, limit: int
) -> None:
    low, high = looks.quantile_bounds(values, quantile, block=block)
    exceedances = sum(value > limit for value in values)
    decision = looks.judge(exceedances, len(values), block, looks.look_table(quantile))
    assert (decision == "pass") == (high is not None and limit >= high)
    assert (decision == "fail") == (low is not None and limit < low)


def test_bounds_are_missing_where_there_are_too_few_latencies() -> None:
    assert looks.quantile_bounds([], 0.9) == (None, None)
    assert looks.quantile_bounds([1.0] * 50, 0.9) == (1.0, None)
    assert looks.quantile_bounds([1.0] * 51, 0.9) == (1.0, 1.0)
    assert looks.quantile_bounds([0.01] * 1019, 0.9) == (0.01, None)
    assert looks.quantile_bounds([0.01] * 1020, 0.9) == (0.01, 0.01)
    assert looks.quantile_bounds([1.0] * 3310, 0.5) == (None, 1.0)


@pytest.mark.parametrize(("latency", "block"), [(0.0, 20), (0.0125, 20), (0.0126, 20), (0.05, 5), (0.2, 2), (3.0, 1)])
def test_a_block_is_twenty_inferences_or_a_quarter_second(latency: float, block: int) -> None:
    assert looks.least_block(latency) == block


def test_a_block_is_longer_where_slow_inferences_come_in_longer_bursts() -> None:
    assert looks.block_length([], 0.9) == 1
    assert looks.block_length([0.3] * 1000, 0.9) == 1
    series = ([0.3] * 190 + [0.6] * 10) * 40
    assert 8 <= looks.block_length(series, 0.9) <= 18


def test_the_agent_receives_the_table_and_the_length_of_bursts() -> None:
    told = looks.for_agent("latency_p90:error", 0.9, 0.05, 30.0)
    table = told.pop("table")
    assert isinstance(table, list)
    assert table[5] == [51, 0, 13]
    assert told == {
        "id": "latency_p90:error",
        "quantile": 0.9,
        "bound_s": 0.05,
        "span_s": 30.0,
        "least_s": 9.5,
        "burst_s": 0.25,
        "burst_count": 20,
    }


def test_the_least_time_is_no_more_than_is_allowed_and_the_users_where_they_give_one() -> None:
    assert looks.for_agent("a", 0.5, 0.05, 30.0)["least_s"] == looks.LEAST_TIME == 9.5
    assert looks.for_agent("a", 0.99, 0.05, 5.0)["least_s"] == 5.0
    assert looks.for_agent("a", 0.99, 0.05, 30.0, 20.0)["least_s"] == 20.0
