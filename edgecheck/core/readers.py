"""How each metric is read from the workers of a run on the device itself."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgecheck.core import looks, statistics
from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import METRICS, Metric, Provenance
from edgecheck.core.run import Phase, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgecheck.core.run import WorkerRun

#: What the agent says took its samples where the device has no psutil that works.
BY_HAND = "/proc"

#: Fresh processes that a load time and a first inference are the median of.
FRESH_LOADS = 5


def _ram_peak(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    found = highest(metric, [worker.peak for worker in workers])
    by_hand = any(worker.sampler == BY_HAND for worker in workers)
    return replace(found, basis=f"{found.basis}, sampled from {BY_HAND}") if found and by_hand else found


def _ram_model(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    costs = []
    for worker in workers:
        ready = worker.mark(Phase.RUNTIME_READY)
        if worker.peak is not None and ready is not None and ready.rss is not None:
            costs.append(worker.peak - ready.rss)
    return highest(metric, costs)


def highest(metric: Metric, values: list[int | None] | list[int]) -> Measurement | None:
    """The highest of what each process showed; None where none showed anything."""
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
        basis=f"highest of {len(known)} processes" if len(known) > 1 else "of one process",
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

#: Metric -> the workers that show it, and how it is read from those that finished; None where they show nothing.
READERS: Mapping[str, tuple[tuple[Purpose, ...], Callable[[Metric, tuple[WorkerRun, ...]], Measurement | None]]] = (
    MappingProxyType(
        {
            "ram_peak": ((Purpose.MEMORY,), _ram_peak),
            "ram_model": ((Purpose.MEMORY,), _ram_model),
            "load_time": (_PROCESSES, _load_time),
            "latency_first": (_PROCESSES, _latency_first),
            "latency_mean": ((Purpose.LATENCY,), _latency_mean),
            **{
                name: ((Purpose.LATENCY,), _percentile)
                for name, metric in METRICS.items()
                if metric.quantile is not None
            },
        }
    )
)
