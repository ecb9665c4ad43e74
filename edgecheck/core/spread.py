"""How far boards of one kind lie apart, and which of them is out of line.

A board is out of line where its figure differs from the median by more than 3.5 times the scaled median absolute
deviation (the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993), and by more than
what boards in order differ. The deviation is scaled to a standard deviation by 1.4826, and corrected for few boards by
the factors of Croux and Rousseeuw ("Time-efficient algorithms for two highly robust estimators of scale", 1992).
Of two boards that differ, nobody can say which is the one to look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from edgecheck.core.metrics import Family, Metric
from edgecheck.core.units import Unit

#: Boards from which on one of them can be named.
FEWEST = 3

#: Scaled deviations beyond which a board is out of line.
_CUTOFF = 3.5

#: A normal distribution's standard deviation, in median absolute deviations.
_SCALE = 1.4826

#: By the number of boards, up to nine.
_CORRECTIONS = (1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)

#: Shares of the median by which boards in order differ at most: times move with the temperature and with what else a
#: system does, memory by pages and libraries.
_TIMES, _OTHERS = 0.10, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One metric of the same work on several boards."""

    metric: Metric
    values: Mapping[str, float]
    """By address, in the metric's base unit."""
    middle: float
    """Their median."""
    out: tuple[str, ...]
    """The addresses out of line, the farthest first; none where there are fewer than `FEWEST` boards."""
    differ: bool
    """Whether two boards differ by more than boards in order do, and nobody can say which is out of line."""

    @property
    def share(self) -> float:
        """The difference between the highest and the lowest, as a share of the median; 0 where that is 0."""
        return (max(self.values.values()) - min(self.values.values())) / abs(self.middle) if self.middle else 0.0

    def deviation(self, address: str) -> float:
        """How far a board is from the median, as a share of it; 0 where that is 0."""
        return (self.values[address] - self.middle) / abs(self.middle) if self.middle else 0.0


def spread(metric: Metric, values: Mapping[str, float]) -> Spread:
    """The spread of `values`, one for each board.

    Raises:
        ValueError: there is none.
    """
    if not values:
        raise ValueError("no board has a figure")
    middle = median(values.values())
    distances = {address: abs(value - middle) for address, value in values.items()}
    least = (_TIMES if metric.unit is Unit.SECONDS else _OTHERS) * abs(middle)
    if len(values) < FEWEST:
        return Spread(metric=metric, values=values, middle=middle, out=(), differ=_difference(values) > least)
    correction = _CORRECTIONS[len(values)] if len(values) < len(_CORRECTIONS) else len(values) / (len(values) - 0.8)
    scaled = _SCALE * correction * median(distances.values())
    bound = max(_CUTOFF * scaled, least)
    out = sorted((address for address in values if distances[address] > bound), key=lambda each: -distances[each])
    return Spread(metric=metric, values=values, middle=middle, out=tuple(out), differ=False)


def _difference(values: Mapping[str, float]) -> float:
    return max(values.values()) - min(values.values())


#: Families whose figures say something about the board; what is read from files is the same on each.
OF_THE_BOARD = (Family.LATENCY, Family.LOAD, Family.MEMORY)
