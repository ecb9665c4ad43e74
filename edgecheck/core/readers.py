"""How each metric is read: from files, from a comparison of outputs, or from the workers of a run on a device.

Emulated machines have separate readers (`emulated`), and so does memory that a GPU shares (`measurement`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from edgecheck.core import contention, looks, placement, statistics
from edgecheck.core.finding import Evidence, Finding, Likeness, Measurement, Unmeasured
from edgecheck.core.metrics import LATENCY_FIRST, LOAD_TIME, METRICS, SIZE, Metric, Provenance
from edgecheck.core.run import Activity, Phase, Purpose, WorkerRun
from edgecheck.core.sustained import judged, settled


@dataclass(frozen=True, slots=True)
class MetricReader:
    """How a metric is read from a run."""

    purposes: tuple[Purpose, ...]
    """The workers that show it."""
    read: Callable[[Metric, tuple[WorkerRun, ...], Evidence], Finding | None]
    """From those of the workers that completed, at least one; None where they show nothing."""


# Without a device.


def _size(metric: Metric, evidence: Evidence) -> Finding:
    return _of_file(metric, evidence, evidence.artifact.size)


def _download(metric: Metric, evidence: Evidence) -> Finding:
    return _of_file(metric, evidence, evidence.artifact.download)


def _params(metric: Metric, evidence: Evidence) -> Finding:
    return _of_file(metric, evidence, evidence.artifact.params)


def _of_file(metric: Metric, evidence: Evidence, value: int | None) -> Finding:
    if value is None:
        return Unmeasured(metric, f"{metric.name} cannot be read from {evidence.artifact.format} files yet")
    return Measurement(metric=metric, value=value, provenance=Provenance.STATIC)


def _footprint(metric: Metric, evidence: Evidence) -> Finding:
    if evidence.runtime_size is None:
        return Unmeasured(metric, evidence.runtime_problem or "the runtime that is deployed with it is not known")
    return Measurement(
        metric=metric,
        value=evidence.artifact.size + evidence.runtime_size,
        provenance=Provenance.STATIC,
        basis=f"the artifact and {SIZE.show(evidence.runtime_size)} of runtime",
    )


def _agreement(metric: Metric, evidence: Evidence) -> Finding:
    return _likeness(metric, evidence, lambda likeness: likeness.agreement)


def _top1(metric: Metric, evidence: Evidence) -> Finding:
    return _likeness(metric, evidence, lambda likeness: likeness.top1)


def _likeness(metric: Metric, evidence: Evidence, value_of: Callable[[Likeness], float | None]) -> Finding:
    likeness = evidence.likeness
    if likeness is None:
        return Unmeasured(metric, evidence.likeness_problem or "the artifact was not compared with its source")
    if likeness.failure:
        return Unmeasured(metric, likeness.failure, fails=True)
    value = value_of(likeness)
    if value is None:
        return Unmeasured(metric, "the outputs are not class scores")
    return Measurement(
        metric=metric, value=value, provenance=Provenance.MEASURED, count=likeness.samples, basis=likeness.basis
    )


#: By name: how a metric is read that needs no device.
WITHOUT_DEVICE: Mapping[str, Callable[[Metric, Evidence], Finding]] = MappingProxyType(
    {
        "size": _size,
        "download": _download,
        "params": _params,
        "footprint": _footprint,
        "agreement": _agreement,
        "top1": _top1,
    }
)


# Memory.

#: The agent's name for its sampler where the device has no psutil that works.
BY_HAND = "/proc"


def _ram_peak(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    found = highest(metric, [worker.peak for worker in workers])
    by_hand = any(worker.sampler == BY_HAND for worker in workers)
    return replace(found, basis=f"{found.basis}, sampled from {BY_HAND}") if found and by_hand else found


def _ram_model(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    costs = []
    for worker in workers:
        ready = worker.mark(Phase.RUNTIME_READY)
        if worker.peak is not None and ready is not None and ready.rss is not None:
            costs.append(worker.peak - ready.rss)
    return highest(metric, costs)


#: Why there is no figure where the budget asks for no accelerator, or the device has no figure.
NO_ACCELERATOR = "no memory on an accelerator was reported: `accelerator:` in the budget names one"


def _ram_accelerator(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Finding:
    """The highest of the processes' figures, with who said so, which is the same for all of them."""
    told = [worker.accelerator_memory for worker in workers if worker.accelerator_memory is not None]
    found = highest(metric, [one.size for one in told])
    if found is None:
        return Unmeasured(metric, NO_ACCELERATOR)
    most = max(told, key=lambda one: one.size)
    return replace(found, basis=f"{found.basis}: {most.words or most.source}")


def highest(metric: Metric, values: Iterable[int | None]) -> Measurement | None:
    """The highest of the processes' values; None where no process showed any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Measurement(
        metric=metric,
        value=max(known),
        provenance=Provenance.MEASURED,
        low=min(known),
        high=max(known),
        count=len(known),
        basis=f"highest of {len(known)} processes" if len(known) > 1 else "of one process",
    )


# What each fresh process does once.

#: Fresh processes whose median a load time and a first inference are.
FRESH_LOADS = 5

#: By name: what a process shows of a metric of this family; None where it did not get that far.
PER_PROCESS: Mapping[str, Callable[[WorkerRun], float | None]] = MappingProxyType(
    {
        "load_time": lambda worker: worker.load_time,
        "load_time_cached": lambda worker: worker.load_time,
        "latency_first": lambda worker: worker.first_inference,
    }
)


def per_process(metric: Metric, workers: Iterable[WorkerRun]) -> list[float]:
    """What each of `workers` shows of a metric of the family `LOAD`, where it got that far."""
    values = map(PER_PROCESS[metric.name], workers)
    return [value for value in values if value is not None]


def _median(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    known = per_process(metric, workers)
    if len(known) < FRESH_LOADS:
        return None
    during = Activity.FIRST_INFERENCE if metric == LATENCY_FIRST else Activity.LOAD
    waits, contended = contention.of_loading(workers, during)
    alone = [max(value - wait, 0.0) for value, wait in zip(known, waits, strict=False)]
    return Measurement(
        metric=metric,
        value=statistics.median(known),
        provenance=Provenance.MEASURED,
        low=min(known),
        high=max(known),
        count=len(known),
        basis=f"median of {len(known)} processes",
        contended=contended,
        unwaited=statistics.median(alone) if len(alone) == len(known) else None,
    )


# Steady inferences.


def _percentile(metric: Metric, workers: tuple[WorkerRun, ...], evidence: Evidence) -> Measurement | None:
    worker = settled(workers[-1])
    latencies = worker.latencies
    if not latencies or metric.quantile is None:
        return None
    counts = {count.limit: count for count in worker.counts if count.limit.startswith(metric.name + ":")}
    block = max((count.block for count in counts.values()), default=None)
    left_out = max((count.left_out for count in counts.values()), default=0)
    if left_out and worker.waits:
        latencies = tuple(value for value, wait in zip(latencies, worker.waits, strict=True) if not wait) or latencies
    low, high = looks.quantile_bounds(latencies, metric.quantile, block=block)
    processors = evidence.run.before.cpu_count if evidence.run is not None else 1
    disturbed, undisturbed = contention.disturbed(worker, metric.quantile, processors)
    return Measurement(
        metric=metric,
        value=statistics.percentile(latencies, metric.quantile),
        provenance=Provenance.MEASURED,
        low=low,
        high=high,
        count=len(latencies),
        basis=judged(workers[-1]) or _timed(worker, left_out),
        interval=bool(worker.states),  # without looks, since the last minute is known only at the end
        span=_span(worker),
        contended=contention.cause(worker, metric.quantile),
        unwaited=statistics.percentile(contention.without_waiting(worker), metric.quantile),
        disturbed=disturbed,
        undisturbed=undisturbed,
        counts=counts,
    )


def _latency_mean(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    worker = settled(workers[-1])
    latencies = worker.latencies
    if not latencies:
        return None
    bounds = statistics.mean_bounds(latencies, block=looks.block_length(latencies, 0.5), error=looks.ERROR)
    return Measurement(
        metric=metric,
        value=sum(latencies) / len(latencies),
        provenance=Provenance.MEASURED,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        interval=True,
        count=len(latencies),
        basis=judged(workers[-1]) or _timed(worker),
        span=_span(worker),
        contended=contention.cause(worker, None),
        unwaited=sum(contention.without_waiting(worker)) / len(latencies),
    )


def _timed(worker: WorkerRun, left_out: int = 0) -> str:
    every = len(worker.latencies)
    some = f"the {every - left_out:,} that did not wait for a processor, of " if left_out else ""
    return f"{some}{every:,} inferences over {LOAD_TIME.show(_span(worker))}"


def _span(worker: WorkerRun) -> float:
    """Seconds that were measured; an agent that did not report them has timed one inference after the other."""
    return max(worker.span, sum(worker.latencies))


# Accelerators.


def _offloaded(metric: Metric, _workers: tuple[WorkerRun, ...], evidence: Evidence) -> Finding:
    """The share of the nodes that ran on the accelerator, or of their time if that is less."""
    run = evidence.run
    seen = run.placement if run is not None else None
    if run is None or seen is None:
        return Unmeasured(metric, "no accelerator was asked for: add `accelerator:` to the budget, or --accelerator")
    share = placement.time_share(seen, run.spent)
    seen = placement.by_profile(seen, run.spent)
    if not seen.total:
        return Unmeasured(metric, f"the runtime does not say which nodes ran on {seen.accelerator}")
    if not seen.taken:
        return Unmeasured(metric, f"nothing of the model ran on {seen.accelerator}, by {seen.proof}", fails=True)
    return Measurement(
        metric=metric,
        value=seen.share if share is None else min(seen.share, share),
        provenance=Provenance.MEASURED,
        count=seen.total,
        basis=placement.in_words(seen, share),
    )


#: The workers of which each loads the model once.
LOADING = (Purpose.LATENCY, Purpose.LOAD)

#: By name: how a metric is read from a run on the device itself.
ON_DEVICE: Mapping[str, MetricReader] = MappingProxyType(
    {
        "ram_peak": MetricReader((Purpose.MEMORY,), _ram_peak),
        "ram_model": MetricReader((Purpose.MEMORY,), _ram_model),
        "ram_accelerator": MetricReader((Purpose.MEMORY,), _ram_accelerator),
        **dict.fromkeys(PER_PROCESS, MetricReader(LOADING, _median)),
        "load_time_cached": MetricReader((Purpose.CACHED_LOAD,), _median),
        "offloaded": MetricReader((Purpose.LATENCY,), _offloaded),
        "latency_mean": MetricReader((Purpose.LATENCY,), _latency_mean),
        **{
            name: MetricReader((Purpose.LATENCY,), _percentile)
            for name, metric in METRICS.items()
            if metric.quantile is not None
        },
    }
)
