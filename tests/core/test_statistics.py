"""Statistics against definitions, published figures and processes whose answer is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.core import statistics

SERIES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=200)
QUANTILES = st.sampled_from([0.5, 0.55, 0.75, 0.9, 0.95, 0.99, 1.0])


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [statistics.percentile(values, q) for q in (0.05, 0.3, 0.4, 0.5, 1)] == [15, 20, 20, 35, 50]


def test_a_rank_is_not_moved_by_rounding_of_floats() -> None:
    assert statistics.rank(100, 0.55) == 55
    assert statistics.rank(10, 0.7) == 7
    assert statistics.rank(3, 0.01) == 1


@given(SERIES, QUANTILES, st.floats(1e-6, 1e3))
def test_a_percentile_is_within_a_bound_exactly_when_few_enough_exceed_it(
    values: list[float], quantile: float, bound: float
) -> None:
    exceedances = sum(value > bound for value in values)
    allowed = len(values) - statistics.rank(len(values), quantile)
    assert (statistics.percentile(values, quantile) <= bound) == (exceedances <= allowed)


@pytest.mark.parametrize(("values", "quantile"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.5), ([1.0], float("nan"))])
def test_a_percentile_of_nothing_or_beyond_its_range_is_refused(values: list[float], quantile: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        statistics.percentile(values, quantile)


def test_a_median_is_the_middle_or_the_mean_of_the_two() -> None:
    assert statistics.median([3, 1, 2]) == 2
    assert statistics.median([4, 1, 2, 3]) == 2.5
    with pytest.raises(ValueError, match="no median"):
        statistics.median([])


def test_outliers_are_those_over_three_and_a_half_robust_sigmas() -> None:
    sigma = 0.5 * 1.4826
    values = [10.0, 10.5, 11.0] * 10 + [10.5 + 3.4 * sigma, 10.5 + 3.6 * sigma, 10.5 - 3.6 * sigma]
    assert statistics.mad(values) == 0.5
    assert statistics.outliers(values) == (31, 32)


def test_no_outliers_are_found_without_a_spread_to_judge_by() -> None:
    assert statistics.outliers([1.0] * 19 + [9.0]) == ()
    assert statistics.outliers([1.0, 2.0, 99.0]) == ()


def test_spread_by_deviation_and_by_mad() -> None:
    values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
    assert statistics.cv(values) == pytest.approx((32 / 7) ** 0.5 / 5)
    assert statistics.robust_cv(values) == pytest.approx(1.4826 * 0.5 / 4.5)


@pytest.mark.parametrize("values", [[], [1.0], [0.0, 0.0]])
def test_no_spread_of_too_few_values_or_around_zero(values: list[float]) -> None:
    assert statistics.cv(values) is None
    assert statistics.robust_cv(values) is None


def test_autocorrelation_of_an_alternating_series() -> None:
    values = [1.0, -1.0] * 50
    assert statistics.autocorrelation(values, 0) == 1
    assert statistics.autocorrelation(values, 1) == pytest.approx(-0.99)
    assert statistics.autocorrelation(values, 2) == pytest.approx(0.98)


@pytest.mark.parametrize(("values", "lag"), [([1.0, 2.0], 2), ([3.0, 3.0, 3.0], 1), ([], 0)])
def test_no_autocorrelation_of_a_constant_or_of_too_few(values: list[float], lag: int) -> None:
    assert statistics.autocorrelation(values, lag) is None


def autoregressive(share: float, count: int) -> list[float]:
    """Each value is `share` of the one before and new noise; its correlation time is (1 + share) / (1 - share)."""
    draw = random.Random(4)
    values = [0.0]
    for _ in range(count):
        values.append(share * values[-1] + draw.gauss(0, 1))
    return values


@pytest.mark.parametrize(("share", "time"), [(0.0, 1), (0.5, 3), (0.9, 19)])
def test_the_correlation_time_of_an_autoregressive_series(share: float, time: float) -> None:
    assert 0.9 * time <= statistics.autocorrelation_time(autoregressive(share, 40_000)) <= 1.8 * time


@pytest.mark.parametrize("length", [5, 20])
def test_the_correlation_time_of_bursts_is_their_length(length: int) -> None:
    draw = random.Random(5)
    flags: list[int] = []
    while len(flags) < 40_000:
        flags += [0] * int(draw.expovariate(1 / (19 * length))) + [1] * length
    assert 0.9 * length <= statistics.autocorrelation_time(flags) <= 1.8 * length


@pytest.mark.parametrize("values", [[], [2.0] * 100, [1.0, 5.0, 1.0]])
def test_no_correlation_is_seen_in_a_constant_or_in_few_values(values: list[float]) -> None:
    assert statistics.autocorrelation_time(values) == 1


@pytest.mark.parametrize(
    ("freedom", "probability", "published"),
    [(7, 0.9, 1.415), (8, 0.99, 2.896), (8, 0.999, 4.501), (9, 0.995, 3.250), (20, 0.99, 2.528), (100, 0.999, 3.174)],
)
def test_students_t_as_published(freedom: int, probability: float, published: float) -> None:
    assert statistics.student_t(freedom, probability) == pytest.approx(published, rel=1e-3)


def test_bounds_of_a_mean_hold_for_a_correlated_series_as_often_as_they_say() -> None:
    draw = random.Random(6)
    missed = 0
    for _ in range(400):
        values: list[float] = []
        while len(values) < 400:
            values += [draw.gauss(10, 1)] * 5
        low, high = statistics.mean_bounds(values, block=10, error=0.05) or (0, 0)
        missed += not low <= 10 <= high
    assert 20 <= missed <= 60, "5 % on either side of 400 are 40; four standard deviations are 24"


def test_no_bounds_of_a_mean_of_seven_blocks() -> None:
    assert statistics.mean_bounds([1.0] * 79, block=10, error=0.01) is None
    assert statistics.mean_bounds([1.0] * 80, block=10, error=0.01) == (1, 1)


def test_growth_brackets_the_rise_of_a_noisy_series() -> None:
    draw = random.Random(7)
    values = [(1 + 0.2 * at / 1000) * draw.gauss(10, 0.3) for at in range(1000)]
    low, high = statistics.growth(values) or (0, 0)
    assert low <= 0.2 / 1.1 <= high
    assert low > 0.1


def test_growth_is_not_feigned_by_outliers() -> None:
    draw = random.Random(8)
    values = [draw.gauss(10, 0.3) for _ in range(900)] + [100.0] * 40
    low, high = statistics.growth(values) or (1, 1)
    assert low < 0 < high < 0.1


def test_no_growth_of_too_few_values_or_around_zero() -> None:
    assert statistics.growth([1.0] * 19) is None
    assert statistics.growth([0.0] * 20) is None
    assert statistics.growth([2.0] * 20) == (0, 0)
