"""How each metric is read from an emulated machine: memory, instructions as its clock counts them, and a projection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from edgecheck.core import readers
from edgecheck.core.device import Constant, DeviceProfile
from edgecheck.core.finding import Evidence, Finding, Measurement, Unmeasured
from edgecheck.core.metrics import INSTRUCTIONS, Metric, Provenance
from edgecheck.core.projection import ONE_THREAD, Counters, project
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
        basis=f"two batches of {count:,} that agree to 0.1 %",
    )


def _latency(metric: Metric, workers: tuple[WorkerRun, ...], evidence: Evidence) -> Finding:
    """The steady latency on the device, projected from the instructions."""
    counted = instructions(INSTRUCTIONS, workers)
    if isinstance(counted, Unmeasured):
        return Unmeasured(metric, counted.reason)
    profile, run = evidence.profile, evidence.run
    constant = _constant(profile, evidence.artifact.arithmetic) if profile is not None else None
    if constant is None or profile is None or run is None or run.runtime is None:
        return Unmeasured(metric, "the profile has no constants to project it with")
    scaling = ONE_THREAD if evidence.threads == 1 else profile.projection.thread_scaling.get(evidence.threads)
    if scaling is None:
        return Unmeasured(
            metric,
            f"one thread is projected: the profile has no thread_scaling for the {evidence.threads} of the budget",
        )
    interval = project(Counters(counted.value), constant, run.runtime.name, scaling)
    scaled = f"; the constant is that of {profile.projection.derived_from}" if profile.projection.derived_from else ""
    shown = counted.metric.show(counted.value)
    threads = f" over {scaling.factor:g} ({evidence.threads} threads)" if evidence.threads > 1 else ""
    return Measurement(
        metric=metric,
        value=interval.estimate,
        provenance=Provenance.PROJECTED,
        low=interval.low,
        high=interval.high,
        interval=True,
        count=counted.count,
        basis=f"{shown} instructions at {constant.ns_per_instruction} ns{threads}{scaled}",
    )


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
