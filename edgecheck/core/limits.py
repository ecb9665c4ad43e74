"""Limits: the bounds that a budget or a profile sets on a metric."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from edgecheck.core.metrics import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class OnUnknown(Enum):
    """What becomes of a limit that could not be decided."""

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


@dataclass(frozen=True, slots=True)
class Limit:
    """One metric's bounds in its base unit; at least one of the two is given."""

    metric: Metric
    error: float | None
    """Beyond it the check fails."""
    source: Source
    warn: float | None = None
    """Beyond it the check warns."""
    on_unknown: OnUnknown = OnUnknown.UNKNOWN
    projected_point: bool = False
    """Judge a projection by its estimate instead of its interval."""


def combined(layers: Iterable[Mapping[str, Limit | None]]) -> tuple[Limit, ...]:
    """The limits that hold, in the order of reports: of one metric the last layer's, unless that switches it off."""
    last: dict[str, Limit | None] = {}
    for layer in layers:
        last.update(layer)
    return tuple(limit for name in METRICS if (limit := last.get(name)) is not None)
