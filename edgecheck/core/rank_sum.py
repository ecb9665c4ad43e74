"""Are the values of one small sample larger than those of another? Exactly, without a model of the noise."""

from __future__ import annotations

from collections import Counter
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def probability_of_larger(first: Sequence[float], second: Sequence[float]) -> float:
    """The probability that, were both from one distribution, `first` would have ranks as high as it has or higher.

    The one-sided rank-sum test of Wilcoxon, Biometrics Bulletin 1 (1945) 80, by counting every way in which the pooled
    ranks could have fallen to the two; ties get their mean rank. 1 where either is empty. Made for fresh processes: the
    work grows with the cube of how many there are.
    """
    ranks = _doubled_ranks([*first, *second])
    chosen = len(first)
    ways: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in range(chosen))]
    for rank in ranks:
        for count in range(chosen, 0, -1):
            for total, number in ways[count - 1].items():
                ways[count][total + rank] += number
    seen = sum(ranks[:chosen])
    return sum(number for total, number in ways[chosen].items() if total >= seen) / comb(len(ranks), chosen)


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the mean rank of each value among all, so that ties stay whole numbers."""
    ordered = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(ordered, start=1)))}
    last = {value: at for at, value in enumerate(ordered, start=1)}
    return [first[value] + last[value] for value in values]
