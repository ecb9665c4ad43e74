"""The metrics that a budget can limit: one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgecheck.core.units import Unit, show

if TYPE_CHECKING:
    from collections.abc import Mapping


class Provenance(Enum):
    """How a figure was got. No figure is shown without it."""

    STATIC = "static"
    """Read from files; the same everywhere."""
    MEASURED = "measured"
    """Seen on the machine that the report names."""
    EMULATED = "emulated"
    """Seen on an emulated machine; its memory and its instruction count are the real thing, its clock is not."""
    PROJECTED = "projected"
    """Computed from emulated counters, with an interval."""


class Direction(Enum):
    """On which side of its bound a value is good."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that can be limited."""

    name: str
    title: str
    """One line for a person: what it is and how it is decided."""
    unit: Unit
    direction: Direction = Direction.AT_MOST
    binary: bool = False
    """Shown in KiB, MiB, GiB, as memory is counted."""
    quantile: float | None = None
    """For percentiles of the steady latency: 0.9 is p90."""

    def show(self, value: float, *, exact: bool = False) -> str:
        """A person's text for a value of this metric."""
        return show(value, self.unit, binary=self.binary, exact=exact)

    @property
    def is_static(self) -> bool:
        """Whether it is read from files alone, without a device."""
        return self.name in _STATIC

    @property
    def needs_device(self) -> bool:
        """Whether a target has to run the artifact for it."""
        return not self.is_static and self.name not in _COMPARED


_COMPARED = frozenset({"agreement", "top1"})
_STATIC = frozenset({"size", "download", "params", "footprint"})


def _percentile(percent: int) -> Metric:
    return Metric(
        f"latency_p{percent}",
        f"p{percent} of steady inferences, by a confidence bound on the order statistics",
        Unit.SECONDS,
        quantile=percent / 100,
    )


#: Every metric, in the order in which reports show them.
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("size", "bytes of the artifact, all its files", Unit.BYTES),
            Metric("download", "bytes after gzip -9: what an update sends", Unit.BYTES),
            Metric("params", "weights stored, wherever they sit", Unit.COUNT),
            Metric("footprint", "artifact and unpacked runtime: the storage a deployment takes", Unit.BYTES),
            Metric(
                "ram_peak",
                "highest resident memory of the inference process (VmHWM), the highest of 2 to 5 fresh processes",
                Unit.BYTES,
                binary=True,
            ),
            Metric(
                "ram_model",
                "ram_peak minus the resident memory with the runtime ready and no model: what this model costs",
                Unit.BYTES,
                binary=True,
            ),
            Metric("load_time", "opening the file until ready, median of 5 fresh processes or more", Unit.SECONDS),
            Metric("latency_first", "the first inference, median of 5 fresh processes or more", Unit.SECONDS),
            *(_percentile(percent) for percent in (50, 75, 90, 95, 99)),
            Metric("latency_mean", "mean of steady inferences", Unit.SECONDS),
            Metric("instructions", "instructions per steady inference", Unit.COUNT),
            Metric(
                "agreement",
                "cosine similarity with the source model's outputs, worst sample",
                Unit.RATIO,
                Direction.AT_LEAST,
            ),
            Metric("top1", "share of samples with the source model's top class", Unit.RATIO, Direction.AT_LEAST),
        )
    }
)
