"""From an artifact and a run to the figure of one metric, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.core import looks, statistics
from edgecheck.core.metrics import METRICS, Metric, Provenance
from edgecheck.core.run import Activity, Outcome, Phase, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgecheck.core.artifact import Artifact
    from edgecheck.core.run import LookCount, Run, WorkerRun


@dataclass(frozen=True, slots=True)
class Measurement:
    """A metric's figure, in its base unit."""

    metric: Metric
    value: float
    provenance: Provenance
    low: float | None = None
    """The figure's own uncertainty: the lower and the upper end, where it has one."""
    high: float | None = None
    interval: bool = False
    """Low and high are confidence bounds, and all between them must be within a limit."""
    count: int = 1
    """Observations it was decided from: inferences or processes."""
    basis: str = ""
    """How it was decided, for a person: `highest of 2 processes`."""
    counts: Mapping[str, LookCount] | None = None
    """By limit key: what the agent counted against each bound, where it counted."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """There is no figure."""

    metric: Metric
    reason: str
    fails: bool = False
    """The device itself gave the answer (it killed, refused or crashed the model): a fail, not an unknown."""


Finding = Measurement | Unmeasured

#: Fresh processes that a load time and a first inference are the median of.
FRESH_LOADS = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that figures are read from."""

    artifact: Artifact
    run: Run | None = None
    """None where nothing was run."""
    runtime_size: int | None = None
    """Bytes of the unpacked runtime that is deployed with the artifact; None where it is not known."""
    runtime_problem: str = ""
    """Why it is not known."""


#: Outcomes that say something about the tool's or the user's set-up and not about the model's fit.
_NOT_THE_MODEL = frozenset({"lost", "open-dimension", "missing-runtime", "wrong-sample", "missing-external-data"})


def measure(metric: Metric, evidence: Evidence) -> Finding:
    """The figure of `metric`."""
    if metric.name == "footprint":
        return _footprint(metric, evidence)
    if metric.is_static:
        return _static(metric, evidence.artifact)
    run = evidence.run
    if run is None:
        return Unmeasured(metric, "nothing was run")
    if metric.name not in _READERS:
        return Unmeasured(metric, f"{metric.name} is not measured on {run.target}")
    purposes, reader = _READERS[metric.name]
    workers = run.of(*purposes)
    finished = tuple(worker for worker in workers if worker.ending.outcome is Outcome.COMPLETED)
    if failed := [worker for worker in workers if worker not in finished]:
        return _failed(metric, failed[0])
    finding = reader(metric, finished) if finished else None
    if finding is not None:
        return finding if not run.emulated else _emulated(finding)
    if run.broken:
        return Unmeasured(metric, run.broken)
    return Unmeasured(metric, f"{run.target} gave no figure for {metric.name}")


def measure_all(evidence: Evidence) -> dict[str, Finding]:
    """Every metric's finding, by name."""
    return {name: measure(metric, evidence) for name, metric in METRICS.items()}


def _emulated(finding: Measurement) -> Finding:
    if finding.metric.unit is METRICS["ram_peak"].unit:
        return replace(finding, provenance=Provenance.EMULATED)
    return Unmeasured(finding.metric, "an emulated machine's clock is not the device's")


def _static(metric: Metric, artifact: Artifact) -> Finding:
    values = {"size": artifact.size, "download": artifact.download, "params": artifact.params}
    value = values.get(metric.name)
    if value is None:
        return Unmeasured(metric, f"{metric.name} cannot be read from {artifact.format} files yet")
    return Measurement(metric, value, Provenance.STATIC)


def _footprint(metric: Metric, evidence: Evidence) -> Finding:
    if evidence.runtime_size is None:
        return Unmeasured(metric, evidence.runtime_problem or "the runtime that is deployed with it is not known")
    runtime = METRICS["size"].show(evidence.runtime_size)
    return Measurement(
        metric,
        evidence.artifact.size + evidence.runtime_size,
        Provenance.STATIC,
        basis=f"the artifact and {runtime} of runtime",
    )


def _failed(metric: Metric, worker: WorkerRun) -> Unmeasured:
    ending = worker.ending
    if ending.reason in _NOT_THE_MODEL:
        return Unmeasured(metric, ending.message)
    if ending.outcome is Outcome.REFUSED:
        return Unmeasured(metric, f"refused by the runtime {_DURING[ending.during]}: {ending.message}", fails=True)
    return Unmeasured(metric, ending.message, fails=True)


_DURING = {
    Activity.START: "while Python started",
    Activity.RUNTIME: "while it was loaded",
    Activity.LOAD: "while the model was loaded",
    Activity.FIRST_INFERENCE: "in the first inference",
    Activity.STEADY: "in a later inference",
    Activity.EXIT: "after the last result",
}


def _ram_peak(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    return _highest(metric, [worker.peak for worker in workers])


def _ram_model(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    costs = []
    for worker in workers:
        ready = worker.mark(Phase.RUNTIME_READY)
        if worker.peak is not None and ready is not None and ready.rss is not None:
            costs.append(worker.peak - ready.rss)
    return _highest(metric, costs)


def _highest(metric: Metric, values: list[int | None] | list[int]) -> Measurement | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Measurement(
        metric,
        max(known),
        Provenance.MEASURED,
        low=min(known),
        high=max(known),
        count=len(known),
        basis=f"highest of {len(known)} processes",
    )


def _load_time(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    return _median(metric, [worker.load_time for worker in workers])


def _latency_first(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    return _median(metric, [worker.first_inference for worker in workers])


def _median(metric: Metric, values: list[float | None]) -> Measurement | None:
    known = [value for value in values if value is not None]
    if len(known) < FRESH_LOADS:
        return None
    return Measurement(
        metric,
        statistics.median(known),
        Provenance.MEASURED,
        low=min(known),
        high=max(known),
        count=len(known),
        basis=f"median of {len(known)} processes",
    )


def _percentile(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    latencies = workers[-1].latencies
    if not latencies or metric.quantile is None:
        return None
    counts = {count.limit: count for count in workers[-1].counts if count.limit.startswith(metric.name + ":")}
    block = max((count.block for count in counts.values()), default=None)
    low, high = looks.quantile_bounds(latencies, metric.quantile, block=block)
    return Measurement(
        metric,
        statistics.percentile(latencies, metric.quantile),
        Provenance.MEASURED,
        low=low,
        high=high,
        count=len(latencies),
        basis=f"{len(latencies):,} inferences",
        counts=counts,
    )


def _latency_mean(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    latencies = workers[-1].latencies
    if not latencies:
        return None
    bounds = statistics.mean_bounds(latencies, block=looks.block_length(latencies, 0.5), error=looks.ERROR)
    return Measurement(
        metric,
        sum(latencies) / len(latencies),
        Provenance.MEASURED,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        interval=True,
        count=len(latencies),
        basis=f"{len(latencies):,} inferences",
    )


_PROCESSES = (Purpose.LATENCY, Purpose.LOAD)
_READERS: dict[str, tuple[tuple[Purpose, ...], Callable[[Metric, tuple[WorkerRun, ...]], Measurement | None]]] = {
    "ram_peak": ((Purpose.MEMORY,), _ram_peak),
    "ram_model": ((Purpose.MEMORY,), _ram_model),
    "load_time": (_PROCESSES, _load_time),
    "latency_first": (_PROCESSES, _latency_first),
    "latency_mean": ((Purpose.LATENCY,), _latency_mean),
    **{name: ((Purpose.LATENCY,), _percentile) for name, metric in METRICS.items() if metric.quantile is not None},
}
