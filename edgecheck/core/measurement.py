"""From the evidence to the figure of one metric, or the reason why there is none."""

from __future__ import annotations

from edgecheck.core import emulated, shared_memory
from edgecheck.core.finding import Evidence, Finding, Unmeasured
from edgecheck.core.metrics import METRICS, Metric
from edgecheck.core.readers import ON_DEVICE, WITHOUT_DEVICE, MetricReader
from edgecheck.core.run import Activity, Outcome, Purpose, Run, WorkerRun
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
    if shared_memory.is_shared(evidence.profile, run):
        reader = shared_memory.READERS.get(metric.name, reader)
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
_NOT_THE_MODEL = frozenset(
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
    if ending.reason in _NOT_THE_MODEL:
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
