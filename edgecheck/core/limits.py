"""Limits: the bounds that a budget or a profile sets on a metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from edgecheck.core.metrics import METRICS, Metric


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
