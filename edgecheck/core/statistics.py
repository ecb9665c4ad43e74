"""Descriptive statistics of a series of measurements, in the series' unit.

Those that the agent computes on the device, too, are in `edgecheck_agent.statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import mul

from edgecheck_agent.statistics import PARTS, autocorrelation_time, median, rank, trend

__all__ = [
    "ENOUGH_FOR_SPREAD",
    "MAD_TO_SIGMA",
    "OUTLIER_SCORE",
    "autocorrelation",
    "autocorrelation_time",
    "cv",
    "growth",
    "mad",
    "mean_bounds",
    "median",
    "ordered",
    "outliers",
    "percentile",
    "rank",
    "robust_cv",
    "student_t",
]

#: Fewer values say too little about a spread, an outlier or a trend.
ENOUGH_FOR_SPREAD = 20

#: For normal data, standard deviation = 1.4826 x median absolute deviation: 1 / the normal's 0.75 quantile.
MAD_TO_SIGMA = 1.4826

#: Modified z-scores beyond this are outliers. Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993).
OUTLIER_SCORE = 3.5

#: Fewer block means say too little to bound a mean by.
_LEAST_MEANS = 8


@lru_cache(maxsize=4)
def ordered(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values in ascending order. Kept for a while: a run's latencies are asked for every percentile in turn."""
    return tuple(sorted(values))


def percentile(values: Sequence[float], quantile: float) -> float:
    """The nearest-rank quantile: the least of `values` that at least this share of them does not exceed.

    Hyndman and Fan, American Statistician 50 (1996), definition 1. It is always one of the values, and it is within a
    bound exactly when no more than the remaining share of the values exceeds that bound. Raises `ValueError` where
    there is no value, or for a quantile outside 0 to 1.
    """
    if not values or not 0 < quantile <= 1:
        raise ValueError(f"no quantile {quantile} of {len(values)} values")
    return ordered(tuple(values))[rank(len(values), quantile) - 1]


def mad(values: Sequence[float]) -> float:
    """Median absolute deviation: the median distance from the median."""
    middle = median(values)
    return median([abs(value - middle) for value in values])


def outliers(values: Sequence[float]) -> tuple[int, ...]:
    """Places (from 0) of the values over 3.5 sigma from the median, sigma being 1.4826 x MAD.

    None of too few values (`ENOUGH_FOR_SPREAD`), and none where over half of them are equal: their MAD is zero, so
    it says nothing about what is usual.
    """
    if len(values) < ENOUGH_FOR_SPREAD:
        return ()
    middle, sigma = median(values), MAD_TO_SIGMA * mad(values)
    return tuple(at for at, value in enumerate(values) if abs(value - middle) > OUTLIER_SCORE * sigma > 0)


def cv(values: Sequence[float]) -> float | None:
    """Coefficient of variation: sample standard deviation / mean; None of under two values or a mean of zero."""
    if len(values) < 2 or math.fsum(values) == 0:  # noqa: PLR2004 - a deviation needs two
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) / mean


def robust_cv(values: Sequence[float]) -> float | None:
    """Spread that outliers hardly move: 1.4826 x MAD / median; None of under two values or a median of zero."""
    if len(values) < 2 or median(values) == 0:  # noqa: PLR2004 - see cv
        return None
    return MAD_TO_SIGMA * mad(values) / median(values)


def autocorrelation(values: Sequence[float], lag: int) -> float | None:
    """Correlation of a series with itself `lag` places on; None where it is constant or not longer than that.

    The usual estimate, whose two sums are over all values and so shrink it a little at long lags.
    """
    if len(values) <= lag:
        return None
    mean = math.fsum(values) / len(values)
    away = [value - mean for value in values]
    power = math.fsum(value * value for value in away)
    return math.fsum(map(mul, away, away[lag:])) / power if power else None


def mean_bounds(values: Sequence[float], *, block: int, error: float) -> tuple[float, float] | None:
    """Bounds of the mean of a correlated series, each wrong with probability `error`.

    By batch means and Student's t: each `block` neighbours count as one value, and what is left over at the end is not
    used. None of fewer than eight blocks.
    """
    blocks = [values[at : at + block] for at in range(0, len(values) - block + 1, block)]
    if len(blocks) < _LEAST_MEANS:
        return None
    means = [math.fsum(one) / block for one in blocks]
    mean = math.fsum(means) / len(means)
    variance = math.fsum((one - mean) ** 2 for one in means) / (len(means) - 1)
    reach = student_t(len(means) - 1, 1 - error) * math.sqrt(variance / len(means))
    return mean - reach, mean + reach


def growth(values: Sequence[float], *, error: float = 0.01) -> tuple[float, float] | None:
    """Bounds of the trend over a series, as a share of its level: (0.1, 0.12) is a rise of 10 to 12 %.

    A line through the medians of ten equal parts, so that neither outliers nor short correlations feign a trend; each
    bound is wrong with probability `error` where the noise is normal. None of fewer than `ENOUGH_FOR_SPREAD`
    values or a level of zero.
    """
    if len(values) < ENOUGH_FOR_SPREAD:
        return None
    bounds = trend(values, student_t(PARTS - 2, 1 - error))
    return (bounds[0] * PARTS, bounds[1] * PARTS) if bounds else None


def student_t(freedom: int, probability: float) -> float:
    """Quantile of Student's t, to 0.1 % from 7 degrees of freedom on, for probabilities of 0.9 to 0.999.

    Cornish-Fisher expansion: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.5.
    """
    z = _normal(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))


def _normal(probability: float) -> float:
    """Quantile of the standard normal, by bisection: the standard library's own takes 7 ms to import."""
    low, high = -10.0, 10.0
    while high - low > 1e-12:  # noqa: PLR2004 - far below what the expansion above leaves
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(-middle / math.sqrt(2)) / 2 < probability else (low, middle)
    return low
