"""Where a noisy series changed its level: a hierarchical search with the energy statistic and a permutation test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: Values on each side of a change, at least: of fewer no permutation test can be sure.
LEAST = 4

#: Permutations per test, and the probability up to which a split may be noise.
PERMUTATIONS = 199
LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The first value of a new level."""

    at: int
    """Its index."""
    probability: float
    """One minus the p-value of the permutation test; 0.995 is the highest that its permutations can show."""


def change_points(values: Sequence[float], *, seed: int = 1) -> list[ChangePoint]:
    """The change points in order, by e-divisive.

    Matteson and James, A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data, Journal of the
    American Statistical Association 109 (2014) 334, with the exponent 1; used on medians of benchmark results by Daly
    and others, The Use of Change Point Detection to Identify Software Performance Regressions in a Continuous
    Integration System, ICPE 2020. Each part is split where the energy statistic is largest, if a permutation test calls
    that significant, and both halves are searched in turn. The work grows with the square of the length.

    Args:
        values: In order of time.
        seed: Of the permutations: the same series has the same change points.
    """
    if len(values) < 2 * LEAST or min(values) == max(values):
        return []
    import numpy as np

    series = np.asarray(values, dtype=float)
    random = np.random.default_rng(seed)
    found: list[ChangePoint] = []
    waiting = [(0, len(series))]
    while waiting:
        start, end = waiting.pop()
        if end - start < 2 * LEAST:
            continue
        distances = np.abs(series[start:end, None] - series[None, start:end])
        at, seen = _best_split(distances)
        if not seen > 0:
            continue
        probability = _significance(distances, seen, random)
        if probability >= 1 - LEVEL:
            found.append(ChangePoint(start + at, probability))
            waiting += [(start, start + at), (start + at, end)]
    return sorted(found, key=lambda point: point.at)


def _best_split(distances: np.ndarray) -> tuple[int, float]:
    """The split with the largest energy statistic, Q of equation 5, and its value; `distances` is n by n."""
    import numpy as np

    count = len(distances)
    sums = distances.cumsum(axis=0).cumsum(axis=1)
    first = np.arange(LEAST, count - LEAST + 1)
    rest = count - first
    within_first = sums[first - 1, first - 1]
    across = sums[first - 1, count - 1] - within_first
    within_rest = sums[-1, -1] - within_first - 2 * across
    # The sums count each pair within a part twice, as the mean over ordered pairs does.
    energy = 2 * across / (first * rest) - within_first / (first * (first - 1)) - within_rest / (rest * (rest - 1))
    weighted = first * rest / count * energy
    best = int(weighted.argmax())
    return int(first[best]), float(weighted[best])


def _significance(distances: np.ndarray, seen: float, random: np.random.Generator) -> float:
    """One minus the share of orders, the seen one among them, that have as large a statistic."""
    count = len(distances)
    as_large = 0
    for _ in range(PERMUTATIONS):
        order = random.permutation(count)
        as_large += _best_split(distances[order[:, None], order])[1] >= seen
    return 1 - (1 + as_large) / (1 + PERMUTATIONS)
