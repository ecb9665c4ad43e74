"""Limits: the bounds that a budget or a profile sets on a metric, and how much it may grow from a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from edgecheck.core.metrics import METRICS, Direction, Metric


class OnUnknown(Enum):
    """What a limit that could not be decided counts as."""

    UNKNOWN = "unknown"
    """It stays unknown: exit code 3."""
    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a limit was written."""

    kind: str
    """`budget`, `profile` or `command line`."""
    file: str = ""
    line: int = 0
    """1-based; 0 where there is no file."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The bounds on one metric, in its base unit; at least one of `error` and `warn` is set."""

    metric: Metric
    error: float | None
    """Beyond it the check fails."""
    source: Source
    warn: float | None = None
    """Beyond it the check warns."""
    on_unknown: OnUnknown = OnUnknown.UNKNOWN
    projected_point: bool = False
    """Whether a projection is judged by its estimate instead of its interval."""


def combined(layers: Iterable[Mapping[str, Limit | None]]) -> tuple[Limit, ...]:
    """The limits in force, in the order of reports: for each metric the last layer's, unless that is None (off)."""
    last: dict[str, Limit | None] = {}
    for layer in layers:
        last.update(layer)
    return tuple(limit for name in METRICS if (limit := last.get(name)) is not None)


#: Added to the name of a metric for the verdict on its growth.
SUFFIX = " vs baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much one metric may grow: the share or the floor, whichever is more.

    A share of a small figure can be less than the noise.
    """

    metric: Metric
    growth: float
    """Share of the baseline: 0.01 is 1 %."""
    source: Source
    floor: float = 0.0
    """In the metric's base unit; a smaller change is never a regression."""
    on_unknown: OnUnknown = OnUnknown.UNKNOWN
    is_shared: bool = True
    """Whether it is meant for every device of a budget: it does not apply where the target cannot show the metric."""

    def bound(self, baseline: float) -> float:
        """The worst value that is not a regression from `baseline`, and rises with it; both in base units."""
        change = max(self.growth * baseline, self.floor)
        return baseline + change if self.metric.direction is Direction.AT_MOST else baseline - change

    def holds(self, value: float, bound: float) -> bool:
        """Whether the value is good for certain: NaN is on neither side of a bound."""
        return value <= bound if self.metric.direction is Direction.AT_MOST else value >= bound

    def __str__(self) -> str:
        share = f"{self.growth * 100:.3g}%"
        return f"{share} or {self.metric.show(self.floor)}, whichever is more" if self.floor else share


@dataclass(frozen=True, slots=True)
class Growths:
    """The rules on growth of one budget."""

    shared: tuple[Allowance, ...] = ()
    """For every device without its own, in the order of reports."""
    own: Mapping[str, tuple[Allowance, ...]] = field(default_factory=dict)
    """By device, complete: what overrides the shared rules, and those that it leaves as they are."""

    def of(self, device: str) -> tuple[Allowance, ...]:
        """The rules that hold on a device."""
        return self.own.get(device, self.shared)

    def each(self) -> tuple[Allowance, ...]:
        """Every rule once."""
        rules = (*self.shared, *(rule for rules in self.own.values() for rule in rules))
        return tuple(dict.fromkeys(rules))

    def counted_as(self, on_unknown: OnUnknown) -> Growths:
        """The same rules, with another way to count those that cannot be decided."""

        def changed(rules: tuple[Allowance, ...]) -> tuple[Allowance, ...]:
            return tuple(replace(rule, on_unknown=on_unknown) for rule in rules)

        return Growths(changed(self.shared), {device: changed(rules) for device, rules in self.own.items()})


def against_baseline(metric: Metric) -> Metric:
    """The metric of the comparison, whose verdict is listed next to the one on the metric itself."""
    return replace(metric, name=f"{metric.name}{SUFFIX}")
