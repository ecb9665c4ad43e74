"""How each metric is read from an emulated machine: memory, instructions as its clock counts them, and a projection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from edgecheck.core import readers
from edgecheck.core.costs import Estimate, Setting, estimate
from edgecheck.core.device import Constant, DeviceProfile, Scaling
from edgecheck.core.finding import Evidence, Finding, Measurement, Unmeasured
from edgecheck.core.metrics import INSTRUCTIONS, Metric, Provenance
from edgecheck.core.projection import ONE_THREAD, Counters, Interval, project
from edgecheck.core.readers import MetricReader
from edgecheck.core.run import Outcome, Purpose, WorkerRun


def _memory(metric: Metric, workers: tuple[WorkerRun, ...], evidence: Evidence) -> Finding | None:
    """As on a device, unless the model did not complete in a machine with just the device's RAM."""
    finding = readers.ON_DEVICE[metric.name].read(metric, workers, evidence)
    if not isinstance(finding, Measurement) or evidence.run is None:
        return finding
    for worker in evidence.run.fit:
        if worker.ending.outcome is not Outcome.COMPLETED:
            shown = metric.show(finding.value)
            sentence = f"in a machine with the device's RAM {worker.ending.message} (with more RAM it takes {shown})"
            return Unmeasured(metric, sentence, fails=True)
    return replace(finding, provenance=Provenance.EMULATED)


def _counted(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Finding:
    return instructions(metric, workers)


def instructions(metric: Metric, workers: tuple[WorkerRun, ...]) -> Finding:
    """Instructions of one steady inference: those of the last batch, if it agrees with the one before."""
    batches = workers[-1].batches
    if not batches:
        return Unmeasured(metric, "the emulated machine counted nothing")
    count, total = batches[-1]
    if not workers[-1].agreed:
        return Unmeasured(metric, f"the counts of {len(batches)} batches did not settle")
    return Measurement(
        metric=metric,
        value=total / count,
        provenance=Provenance.EMULATED,
        count=count,
        basis=f"two batches of {count:,} that agree to 0.1 %"
        if len(batches) > 1
        else "one inference after the first, within 15 % of it",
    )


def _latency(metric: Metric, workers: tuple[WorkerRun, ...], evidence: Evidence) -> Finding:
    """The steady latency on the device, projected from the instructions."""
    counted = instructions(INSTRUCTIONS, workers)
    if isinstance(counted, Unmeasured):
        return Unmeasured(metric, counted.reason)
    profile, run = evidence.profile, evidence.run
    if profile is None or run is None or run.runtime is None:
        return Unmeasured(metric, _NO_CONSTANTS)
    threads = _Threads(evidence.threads, ONE_THREAD)
    if evidence.threads > 1:
        scaling = profile.projection.thread_scaling.get(evidence.threads)
        if scaling is None:
            return Unmeasured(
                metric,
                f"one thread is projected: the profile has no thread_scaling for the {evidence.threads} of the budget",
            )
        threads = _Threads(evidence.threads, scaling)
    found = _by_costs(workers[-1], profile, run.runtime.name, threads)
    if found is None and (constant := _constant(profile, evidence.artifact.arithmetic)) is not None:
        found = _by_constant(counted, constant, run.runtime.name, threads)
        if profile.projection.derived_from:
            found = replace(found, words=f"{found.words}; the constant is that of {profile.projection.derived_from}")
    if found is None:
        return Unmeasured(metric, _NO_CONSTANTS)
    return Measurement(
        metric=metric,
        value=found.interval.estimate,
        provenance=Provenance.PROJECTED,
        low=found.interval.low,
        high=found.interval.high,
        interval=True,
        count=counted.count,
        basis=found.words,
    )


_NO_CONSTANTS = "the profile has no constants to project it with"


@dataclass(frozen=True, slots=True)
class _Threads:
    """How many of them, and how they scale."""

    count: int
    scaling: Scaling


@dataclass(frozen=True, slots=True)
class _Projected:
    """An interval, and what it was reckoned from in words."""

    interval: Interval
    words: str


def _by_costs(worker: WorkerRun, profile: DeviceProfile, runtime: str, threads: _Threads) -> _Projected | None:
    """From instructions and cache misses; None where they were not counted, or the profile has no costs."""
    costs = profile.projection.costs
    if costs is None or worker.counted is None:
        return None
    setting = Setting(costs=costs, clock=profile.cpu.clock, runtime=runtime, threads=threads.scaling)
    found = estimate(worker.counted, setting)
    if found is None:
        return None
    words = [_made_of(found)]
    if threads.count > 1:
        words.append(f"{threads.count} threads {threads.scaling.factor:g} x as fast, except for memory")
    if costs.modelled is not None and not found.modelled:
        words.append("narrower with llvm-mca 19 or later on this machine")
    if found.doubts:
        words.append(f"wider because {' and '.join(found.doubts)}")
    return _Projected(found.interval, "; ".join(words))


def _made_of(found: Estimate) -> str:
    """As `computing 52 %, instructions 20 %, first level 10 %, memory 18 %`."""
    shares = {
        "computing": found.parts.computing,
        "instructions": found.parts.instructions,
        "first level": found.parts.first_level,
        "memory": found.parts.memory,
    }
    return ", ".join(f"{name} {100 * value / found.parts.total:.0f} %" for name, value in shares.items())


def _by_constant(counted: Measurement, constant: Constant, runtime: str, threads: _Threads) -> _Projected:
    """From instructions alone."""
    words = f"{counted.metric.show(counted.value)} instructions at {constant.ns_per_instruction} ns"
    if threads.count > 1:
        words += f" over {threads.scaling.factor:g} ({threads.count} threads)"
    interval = project(Counters(counted.value), constant, runtime, threads.scaling)
    return _Projected(interval, words)


def _constant(profile: DeviceProfile, arithmetic: str) -> Constant | None:
    return profile.projection.int8 if arithmetic == "int8" else profile.projection.float


#: By name: how a metric is read from an emulated machine.
READERS: Mapping[str, MetricReader] = MappingProxyType(
    {
        "ram_peak": MetricReader((Purpose.DETERMINISTIC, Purpose.MEMORY), _memory),
        "ram_model": MetricReader((Purpose.DETERMINISTIC, Purpose.MEMORY), _memory),
        "instructions": MetricReader((Purpose.DETERMINISTIC,), _counted),
        "latency_p50": MetricReader((Purpose.DETERMINISTIC,), _latency),
    }
)
