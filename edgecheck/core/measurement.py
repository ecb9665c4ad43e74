"""From the evidence to the figure of one metric, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from edgecheck.core import emulated
from edgecheck.core.device import DeviceProfile
from edgecheck.core.finding import Evidence, Finding, Measurement, Unmeasured
from edgecheck.core.metrics import METRICS, Metric
from edgecheck.core.readers import ON_DEVICE, WITHOUT_DEVICE, MetricReader, highest
from edgecheck.core.run import Activity, Outcome, Phase, PhaseMark, Purpose, Run, WorkerRun
from edgecheck.core.units import Unit


def measure_all(evidence: Evidence, *, on_device: bool = True) -> dict[str, Finding]:
    """The finding of each metric, by name; without `on_device` only of those that need no device."""
    return {name: measure(metric, evidence) for name, metric in METRICS.items() if on_device or not metric.needs_device}


def measure(metric: Metric, evidence: Evidence) -> Finding:
    """The figure of `metric`."""
    if not metric.needs_device:
        return WITHOUT_DEVICE[metric.name](metric, evidence)
    run = evidence.run
    if run is None:
        return Unmeasured(metric, evidence.not_run)
    reader = _reader(metric, run)
    if reader is None:
        return Unmeasured(metric, _why_not_measurable(metric, run))
    if metric.unit is Unit.SECONDS and (slowed := _slowed(run)):
        return Unmeasured(metric, slowed)
    if failed := _failure(run, reader.purposes):
        return _failed(metric, failed, evidence)
    if is_shared(evidence.profile, run):
        reader = IN_SHARED_MEMORY.get(metric.name, reader)
    workers = run.of(*reader.purposes)
    finding = reader.read(metric, workers, evidence) if workers else None
    return finding or Unmeasured(metric, run.broken or f"{run.target} returned no figure for {metric.name}")


def _slowed(run: Run) -> str:
    """Why the times of `run` are those of a lower clock; empty where nothing says so."""
    if run.throttled:
        return f"the device throttled twice ({run.throttled}): fix its power supply or cooling"
    return run.still_hot


def is_measured_on(metric: Metric, run: Run) -> bool:
    """Whether the target of `run` can show `metric` at all."""
    return _reader(metric, run) is not None


def _reader(metric: Metric, run: Run) -> MetricReader | None:
    return (emulated.READERS if run.emulated else ON_DEVICE).get(metric.name)


def _why_not_measurable(metric: Metric, run: Run) -> str:
    if run.emulated and metric.name in ON_DEVICE:
        return "it depends on what an emulated machine does not model; limit instructions, or measure on the device"
    return f"{metric.name} is not measured on {run.target}"


def _failure(run: Run, purposes: tuple[Purpose, ...]) -> WorkerRun | None:
    """The worker whose ending decides the metric: one of its workers, or the one after which nothing more ran."""
    ended_badly = [
        worker for worker in run.of(*purposes) or run.workers if worker.ending.outcome is not Outcome.COMPLETED
    ]
    return ended_badly[0] if ended_badly else None


#: Reasons that concern edgecheck or the user's set-up, and not the model's fit.
NOT_THE_MODEL = frozenset(
    {
        "lost",
        "open-dimension",
        "missing-runtime",
        "wrong-sample",
        "made-up-input",
        "input-type",
        "missing-external-data",
    }
)

#: Reasons of a run that was to use an accelerator and did not: never an unknown, since the device has answered.
NOT_ACCELERATED = frozenset({"no-accelerator", "unused-accelerator"})


def _failed(metric: Metric, worker: WorkerRun, evidence: Evidence) -> Unmeasured:
    ending = worker.ending
    if ending.reason in NOT_ACCELERATED:
        return Unmeasured(metric, ending.message, fails=True)
    if ending.reason in NOT_THE_MODEL:
        return Unmeasured(metric, ending.message)
    if ending.outcome is Outcome.KILLED:  # by somebody: where the kernel did it for memory, it left a sign
        return Unmeasured(metric, ending.message)
    if ending.outcome is Outcome.REFUSED:
        return Unmeasured(metric, f"refused by the runtime {_DURING[ending.during]}: {ending.message}", fails=True)
    if ending.signal == "SIGILL":
        return Unmeasured(metric, f"{ending.message}: {_runtime_on_core(evidence)}", fails=True)
    return Unmeasured(metric, ending.message, fails=True)


def _runtime_on_core(evidence: Evidence) -> str:
    """The runtime and the core that do not go together: `onnxruntime 1.20.0 on cortex-a53`."""
    run, profile = evidence.run, evidence.profile
    runtime = str(run.runtime) if run is not None and run.runtime is not None else "the runtime"
    core = (profile.emulation_cpu if run is not None and run.emulated else profile.cpu.core) if profile else "this core"
    return f"{runtime} on {core}"


_DURING = {
    Activity.START: "while Python started",
    Activity.RUNTIME: "while it was loaded",
    Activity.LOAD: "while the model was loaded",
    Activity.FIRST_INFERENCE: "in the first inference",
    Activity.STEADY: "in a later inference",
    Activity.EXIT: "after the last result",
}


# Where the GPU shares the system's RAM, resident memory is what the kernel counts for the process. Buffers of a
# Jetson's GPU come from the same RAM and are not included; they show in how far MemAvailable falls from before the
# process starts. The larger of the two is reported.

#: The profiles' word for such devices, and what such boards call themselves (`NVIDIA Jetson Nano Developer Kit`,
#: `Jetson AGX Orin`, `NVIDIA Orin Nano Developer Kit`).
_JETSON = "jetson"
_NAMES = ("jetson", "nvidia")
_MACHINE = "aarch64"


def is_shared(profile: DeviceProfile | None, run: Run) -> bool:
    """Whether `run` was on a device whose GPU has no separate memory. An emulated one has no GPU."""
    if run.emulated:
        return False
    board, machine = run.before.model.lower(), run.before.machine
    if not board:  # in a container, for one; a PC has no name either
        return machine == _MACHINE and profile is not None and profile.kind == _JETSON
    return any(name in board for name in _NAMES)


def _ram_peak(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    return _highest(metric, [(worker.peak, _fall(worker, 0.0)) for worker in workers])


def _ram_model(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    """The same, from the moment when the runtime was ready."""
    readies = [(worker, worker.mark(Phase.RUNTIME_READY)) for worker in workers]
    return _highest(metric, [(_grown(worker, ready), _fall(worker, ready.at)) for worker, ready in readies if ready])


#: By name: how a metric is read there, in place of the reader in `readers`.
IN_SHARED_MEMORY: Mapping[str, MetricReader] = MappingProxyType(
    {
        "ram_peak": MetricReader((Purpose.MEMORY,), _ram_peak),
        "ram_model": MetricReader((Purpose.MEMORY,), _ram_model),
    }
)


def _highest(metric: Metric, pairs: list[tuple[int | None, int | None]]) -> Measurement | None:
    """The highest of all; the basis says which of the two it comes from."""
    known = [[value for value in pair if value is not None] for pair in pairs]
    found = highest(metric, [max(values) for values in known if values])
    if found is None:
        return None
    resident = max((value for value, _ in pairs if value is not None), default=None)
    if resident is not None and resident >= found.value:
        shown = "MemAvailable, which the GPU shares, fell by less"
    else:
        shown = "the fall of MemAvailable, which the GPU shares"
        shown += "" if resident is None else f"; {metric.show(resident)} of it resident"
    return replace(found, basis=f"{found.basis}: {shown}")


def _grown(worker: WorkerRun, ready: PhaseMark) -> int | None:
    return worker.peak - ready.rss if worker.peak is not None and ready.rss is not None else None


def _fall(worker: WorkerRun, since: float) -> int | None:
    """How far MemAvailable fell below its minimum up to `since`, in bytes; None where it was not recorded."""
    lows = worker.available
    if not lows:
        return None
    before = [low for at, low in lows if at <= since]
    return (before or [lows[0][1]])[-1] - lows[-1][1]
