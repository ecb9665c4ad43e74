"""Statistics that the agent and `edgecheck.core` both need: each figure and each rule is computed by one function.

Values are in whatever unit the caller has. Nothing is imported but what every small Python has.
"""

import math
from operator import add, mul
from typing import Optional, Sequence, Tuple, TypeVar

# Of fewer sums a variance says next to nothing.
LEAST_SUMS = 4

# Parts of a series whose medians show its trend.
PARTS = 10

# From this share of the time on, waiting for a processor makes a run contended.
CONTENDED = 0.02

# What a contended machine adds to an inference besides waiting: cold caches, and a core that is shared.
SLOWER = 2.0

Row = TypeVar("Row", bound=Sequence[int])


def median(values: Sequence[float]) -> float:
    """The middle value; of two, their mean. Raises `ValueError` where there is no value."""
    if not values:
        raise ValueError("no median of no values")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def rank(count: int, quantile: float) -> int:
    """The place of the nearest-rank quantile among `count` values in order, the first being 1."""
    return max(1, math.ceil(round(quantile * count, 6)))  # 0.55 x 100 is 55.00000000000001 in floats


def autocorrelation_time(values: Sequence[float]) -> float:
    """How many neighbours carry as much information as one: 1 + 2 x the sum of the autocorrelations, at least 1.

    By blocking: the variance of sums of 2, 4, 8, ... neighbours over what it would be were they independent. Of those
    over 1 by three standard errors the largest is taken, so it errs on the long side, mostly by less than two thirds.
    Flyvbjerg and Petersen, J. Chem. Phys. 91 (1989) 461.
    A constant series gives 1.
    """
    n, total = len(values), math.fsum(values)
    spread = math.fsum(map(mul, values, values)) / n - (total / n) ** 2 if n else 0.0
    longest, width, sums = 1.0, 1, values
    while spread > 0 and len(sums) >= 2 * LEAST_SUMS:
        sums = list(map(add, sums[::2], sums[1::2]))
        width *= 2
        expected = width * total / n
        ratio = math.fsum([(value - expected) ** 2 for value in sums]) / (len(sums) * width * spread)
        if ratio > 1 + 3 * math.sqrt(2 / len(sums)):
            longest = max(longest, ratio)
    return longest


def trend(values: Sequence[float], t: float) -> Optional[Tuple[float, float]]:
    """Bounds of the trend: the share of its level by which one tenth of a series differs from the tenth before.

    A line through the medians of ten equal parts, so that neither outliers nor short correlations feign a trend. `t` is
    the quantile of Student's t, with `PARTS` - 2 degrees of freedom, that says how sure each bound is. None of fewer
    than `PARTS` values, or at a level of zero.
    """
    size = len(values) // PARTS
    if size == 0:
        return None
    medians = [median(values[part * size : (part + 1) * size]) for part in range(PARTS)]
    places = [part - (PARTS - 1) / 2 for part in range(PARTS)]
    level, square = math.fsum(medians) / PARTS, math.fsum(map(mul, places, places))
    if level == 0:
        return None
    slope = math.fsum(map(mul, places, medians)) / square
    rest = math.fsum([(value - level) ** 2 for value in medians]) - slope * slope * square
    reach = t * math.sqrt(max(rest, 0.0) / (PARTS - 2) / square)
    return (slope - reach) / level, (slope + reach) / level


def least_block(latency: float, burst: float, count: int) -> int:
    """Inferences that count as one observation while no longer disturbance is seen.

    A disturbance slows those within `burst`, in the unit of `latency`, or `count` of them, whichever are fewer.
    """
    return count if latency * count <= burst else math.ceil(burst / latency)


def bursts(flags: Sequence[bool], gap: int) -> int:
    """How many groups the marked ones form; two of one group are at most `gap` apart."""
    count, last = 0, -gap - 1
    for at, flag in enumerate(flags):
        if flag:
            count += at - last > gap
            last = at
    return count


def within(exceedances: int, n: int, quantile: float) -> bool:
    """Whether the nearest-rank quantile of `n` values is within a limit that `exceedances` of them exceed."""
    return exceedances <= n - rank(n, quantile)


def rows_around(n: int, block: int, table: Sequence[Row]) -> Tuple[Optional[Row], Optional[Row]]:
    """The last row of a table of looks that `n` inferences have reached, and the first that they have not passed by.

    A row begins with its number of observations, of `block` inferences each.
    """
    before = [row for row in table if row[0] * block <= n]
    after = [row for row in table if row[0] * block >= n]
    return before[-1] if before else None, after[0] if after else None


def decide(exceedances: Tuple[int, int], n: int, block: int, table: Sequence[Row]) -> str:
    """Whether a limit on a quantile is settled after `n` inferences: "pass", "fail", or "" for not yet.

    Between two looks the earlier one passes and the later one fails: exceedances never become fewer, so both would
    have decided the same.

    Args:
        exceedances: The fewest and the most inferences beyond the limit; the same twice where they were counted.
        n: Inferences.
        block: Inferences that count as one observation.
        table: Rows `(n, a, r)`, fewest observations first: pass with no more than a exceedances, fail with r or more.
    """
    fewest, most = exceedances
    before, after = rows_around(n, block, table)
    if before is not None and most <= before[1] * block:
        return "pass"
    if after is not None and fewest >= after[2] * block:
        return "fail"
    return ""
