"""The binomial distribution: how many of n independent observations are exceedances."""

from __future__ import annotations

import math
from operator import mul

#: Standard deviations kept on either side of the mean; the mass left out is below 1e-15.
_REACH = 8.5


def probabilities(n: int, p: float) -> tuple[int, list[float]]:
    """The first count k whose probability among `n` is worth keeping, and the probabilities from k on.

    P(K = k) = n! / (k! (n-k)!) p^k (1-p)^(n-k), through the logarithm of the gamma function. `p` is within 0 and 1,
    both excluded. What is left out is the far ends: each holds less than 1e-15.
    """
    width = _REACH * math.sqrt(n * p * (1 - p)) + _REACH**2 / 3
    first, last = max(0, math.ceil(n * p - width)), min(n, math.floor(n * p + width))
    hit, miss, ways = math.log(p), math.log1p(-p), math.lgamma(n + 1)
    return first, [
        math.exp(ways - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * hit + (n - k) * miss)
        for k in range(first, last + 1)
    ]


def convolved(one: list[float], other: list[float]) -> list[float]:
    """Probabilities of the sum of two independent counts that both start at zero."""
    short, long = sorted((one, other), key=len)
    mirrored = short[::-1]
    padded = [0.0] * (len(short) - 1) + long + [0.0] * (len(short) - 1)
    return [sum(map(mul, mirrored, padded[at : at + len(short)])) for at in range(len(one) + len(other) - 1)]


def fewest_without(p: float, error: float) -> int:
    """The least n of which none exceeds with a probability of at most `error`: (1-p)^n <= error."""
    return math.ceil(math.log(error) / math.log1p(-p) - 1e-9)
