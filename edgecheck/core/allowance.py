"""How much a metric may grow from a baseline before that is a regression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.core.limits import OnUnknown
from edgecheck.core.metrics import Direction

if TYPE_CHECKING:
    from edgecheck.core.limits import Source
    from edgecheck.core.metrics import Metric

#: What the metric of a comparison is called beside the metric itself.
SUFFIX = " vs baseline"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One metric's. Of the share and the floor the more generous holds: a share of little is less than the noise."""

    metric: Metric
    growth: float
    """Share of the baseline: 0.01 is 1 %."""
    source: Source
    floor: float = 0.0
    """In the metric's base unit; a change of no more is never a regression."""
    on_unknown: OnUnknown = OnUnknown.UNKNOWN

    def bound(self, baseline: float) -> float:
        """The worst value that is no regression from `baseline`; it rises with it. Both in base units."""
        change = max(self.growth * baseline, self.floor)
        return baseline + change if self.metric.direction is Direction.AT_MOST else baseline - change

    def __str__(self) -> str:
        share = f"{self.growth * 100:.3g}%"
        return f"{share} or {self.metric.show(self.floor)}, whichever is more" if self.floor else share


def against_baseline(metric: Metric) -> Metric:
    """The metric of the comparison: a verdict on it stands beside the one on the metric itself."""
    return replace(metric, name=f"{metric.name}{SUFFIX}")
