"""The metrics that a budget can limit: one table. A new metric is a row here, its reader, and its row in the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from edgecheck.core.units import Unit, show


class Provenance(Enum):
    """How a figure was obtained. No figure is shown without it."""

    STATIC = "static"
    """Read from files; the same everywhere."""
    MEASURED = "measured"
    """Measured on the machine that the report names."""
    EMULATED = "emulated"
    """Measured on an emulated machine; its memory and its instruction count are real, its clock is not."""
    PROJECTED = "projected"
    """Computed from emulated counters, with an interval."""


class Direction(Enum):
    """On which side of its bound a value is good."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


class Family(Enum):
    """What a metric is read from, and so what its figures have in common."""

    FILE = "file"
    """The artifact's files and the runtime's; no device is needed."""
    LIKENESS = "likeness"
    """The artifact's outputs compared with its source model's, on this machine."""
    MEMORY = "memory"
    """The RAM of the inference process; other memory needs a separate family."""
    ACCELERATOR = "accelerator"
    """The memory that a model takes on an accelerator, which may be a part of the RAM or not."""
    LOAD = "load"
    """Something that each fresh process does once: loading, the first inference."""
    LATENCY = "latency"
    """The latencies of steady inferences in one process; other figures of these inferences need a separate family."""
    COUNT = "count"
    """What an emulated machine counts for a steady inference."""
    PLACEMENT = "placement"
    """Which parts of a model an accelerator runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing that can be limited."""

    name: str
    title: str
    """One line for a person: what it is and how it is decided."""
    unit: Unit
    family: Family | None
    """None where a report of another version has a metric that this version does not know."""
    direction: Direction = Direction.AT_MOST
    binary: bool = False
    """Shown in KiB, MiB, GiB, as memory is counted."""
    quantile: float | None = None
    """For percentiles of the steady latency: 0.9 is p90."""
    projected: bool = False
    """Whether it is projected from the counts of an emulated machine."""
    shown_by_default: bool = True
    """Whether reports show its figure without a limit on it."""
    in_first_budget: bool = False
    """Whether `edgecheck budget init` writes a limit on it."""
    compares_variants: bool = False
    """Whether `edgecheck fit` shows it for every variant, with or without a limit."""

    def show(self, value: float, *, exact: bool = False) -> str:
        """A person's text for a value of this metric."""
        return show(value, self.unit, binary=self.binary, exact=exact)

    @property
    def needs_device(self) -> bool:
        """Whether a target has to run the artifact for it."""
        return self.family not in (Family.FILE, Family.LIKENESS)

    @property
    def takes_storage(self) -> bool:
        """Whether it counts bytes of the device's storage."""
        return self.family is Family.FILE and self.unit is Unit.BYTES


SIZE = Metric(
    name="size",
    title="bytes of the artifact, all its files",
    unit=Unit.BYTES,
    family=Family.FILE,
    in_first_budget=True,
    compares_variants=True,
)
DOWNLOAD = Metric(
    name="download", title="bytes after gzip -9: what an update sends", unit=Unit.BYTES, family=Family.FILE
)
PARAMS = Metric(name="params", title="weights stored, wherever they sit", unit=Unit.COUNT, family=Family.FILE)
FOOTPRINT = Metric(
    name="footprint",
    title="artifact and unpacked runtime: the storage a deployment takes",
    unit=Unit.BYTES,
    family=Family.FILE,
)
RAM_PEAK = Metric(
    name="ram_peak",
    title="highest resident memory of the inference process (VmHWM), the highest of 2 to 5 fresh processes",
    unit=Unit.BYTES,
    family=Family.MEMORY,
    binary=True,
    in_first_budget=True,
)
RAM_MODEL = Metric(
    name="ram_model",
    title="ram_peak minus the resident memory with the runtime ready and no model: what this model costs",
    unit=Unit.BYTES,
    family=Family.MEMORY,
    binary=True,
)
RAM_ACCELERATOR = Metric(
    name="ram_accelerator",
    title="memory on the accelerator once the first inference is over, the highest of 2 to 5 fresh processes",
    unit=Unit.BYTES,
    family=Family.ACCELERATOR,
    binary=True,
)
LOAD_TIME = Metric(
    name="load_time",
    title="opening the file until ready, median of 5 fresh processes or more",
    unit=Unit.SECONDS,
    family=Family.LOAD,
    in_first_budget=True,
)
LATENCY_FIRST = Metric(
    name="latency_first",
    title="the first inference, median of 5 fresh processes or more",
    unit=Unit.SECONDS,
    family=Family.LOAD,
)
LOAD_TIME_CACHED = Metric(
    name="load_time_cached",
    title="as load_time, with what the accelerator kept of an earlier start: engines, compiled kernels",
    unit=Unit.SECONDS,
    family=Family.LOAD,
)


def _percentile(
    percent: int, *, projected: bool = False, shown_by_default: bool = False, in_first_budget: bool = False
) -> Metric:
    return Metric(
        name=f"latency_p{percent}",
        title=f"p{percent} of steady inferences, by a confidence bound on the order statistics",
        unit=Unit.SECONDS,
        family=Family.LATENCY,
        quantile=percent / 100,
        projected=projected,
        shown_by_default=shown_by_default,
        in_first_budget=in_first_budget,
    )


LATENCY_P50 = _percentile(50, projected=True, shown_by_default=True, in_first_budget=True)
LATENCY_P90 = _percentile(90, shown_by_default=True, in_first_budget=True)
LATENCY_MEAN = Metric(
    name="latency_mean",
    title="mean of steady inferences",
    unit=Unit.SECONDS,
    family=Family.LATENCY,
    shown_by_default=False,
)
INSTRUCTIONS = Metric(
    name="instructions",
    title="instructions per steady inference",
    unit=Unit.COUNT,
    family=Family.COUNT,
    in_first_budget=True,
)
AGREEMENT = Metric(
    name="agreement",
    title="similarity with the source model's outputs: the worst cosine, or less if what varies agrees less",
    unit=Unit.RATIO,
    family=Family.LIKENESS,
    direction=Direction.AT_LEAST,
    in_first_budget=True,
    compares_variants=True,
)
TOP1 = Metric(
    name="top1",
    title="share of samples with the source model's top class",
    unit=Unit.RATIO,
    family=Family.LIKENESS,
    direction=Direction.AT_LEAST,
    compares_variants=True,
)
OFFLOADED = Metric(
    name="offloaded",
    title="share of an inference that ran on the accelerator: of the nodes or of their time, whichever is less",
    unit=Unit.RATIO,
    family=Family.PLACEMENT,
    direction=Direction.AT_LEAST,
)

#: Every metric by name, in the order in which reports show them.
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            *(SIZE, DOWNLOAD, PARAMS, FOOTPRINT),
            *(RAM_PEAK, RAM_MODEL, RAM_ACCELERATOR),
            *(LOAD_TIME, LOAD_TIME_CACHED, LATENCY_FIRST),
            *(LATENCY_P50, _percentile(75), LATENCY_P90, _percentile(95), _percentile(99), LATENCY_MEAN),
            INSTRUCTIONS,
            OFFLOADED,
            *(AGREEMENT, TOP1),
        )
    }
)
