"""From the evidence to the figure of one metric, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.core import emulated, shared_memory
from edgecheck.core.finding import Evidence, Finding, Measurement, Unmeasured
from edgecheck.core.metrics import METRICS, Metric, Provenance
from edgecheck.core.readers import READERS
from edgecheck.core.run import Activity, Outcome
from edgecheck.core.units import Unit

if TYPE_CHECKING:
    from edgecheck.core.artifact import Artifact
    from edgecheck.core.run import Purpose, Run, WorkerRun

#: Outcomes that say something about the tool's or the user's set-up and not about the model's fit.
_NOT_THE_MODEL = frozenset({"lost", "open-dimension", "missing-runtime", "wrong-sample", "missing-external-data"})


def measure(metric: Metric, evidence: Evidence) -> Finding:
    """The figure of `metric`."""
    if not metric.needs_device:
        return _without_device(metric, evidence)
    run = evidence.run
    if run is None:
        return Unmeasured(metric, evidence.not_run)
    purposes = _purposes(metric, run)
    if not purposes:
        return Unmeasured(metric, _why_not(metric, run))
    if run.throttled and metric.unit is Unit.SECONDS:
        return Unmeasured(metric, f"the device slowed itself down twice ({run.throttled}): mend its supply or cooling")
    if failed := _failure(run, purposes):
        return _failed(metric, failed, evidence)
    if workers := run.of(*purposes):
        return _read(metric, evidence, run, workers)
    return Unmeasured(metric, run.broken or _no_figure(metric, run))


def _without_device(metric: Metric, evidence: Evidence) -> Finding:
    match metric.name:
        case "footprint":
            return _footprint(metric, evidence)
        case "agreement" | "top1":
            return _likeness(metric, evidence)
        case _:
            return _static(metric, evidence.artifact)


def measure_all(evidence: Evidence) -> dict[str, Finding]:
    """Every metric's finding, by name."""
    return {name: measure(metric, evidence) for name, metric in METRICS.items()}


def _purposes(metric: Metric, run: Run) -> tuple[Purpose, ...]:
    if run.emulated:
        return emulated.PURPOSES.get(metric.name, ())
    return READERS[metric.name][0] if metric.name in READERS else ()


def is_measured_on(metric: Metric, run: Run) -> bool:
    """Whether the target of `run` can show `metric` at all."""
    return bool(_purposes(metric, run))


def _why_not(metric: Metric, run: Run) -> str:
    if run.emulated and metric.name in READERS:
        return "it depends on what an emulated machine does not model; limit instructions, or measure on the device"
    return f"{metric.name} is not measured on {run.target}"


def _no_figure(metric: Metric, run: Run) -> str:
    return f"{run.target} gave no figure for {metric.name}"


def _failure(run: Run, purposes: tuple[Purpose, ...]) -> WorkerRun | None:
    """The worker whose end answers for the metric: one of its own, or the one after which nothing more was tried."""
    own = run.of(*purposes)
    ended_badly = [worker for worker in own or run.workers if worker.ending.outcome is not Outcome.COMPLETED]
    return ended_badly[0] if ended_badly else None


def _read(metric: Metric, evidence: Evidence, run: Run, workers: tuple[WorkerRun, ...]) -> Finding:
    if run.emulated and metric.name == "instructions":
        return emulated.instructions(metric, workers)
    if run.emulated and metric.name == "latency_p50":
        return emulated.latency(metric, workers, evidence)
    read = READERS[metric.name][1]
    if shared_memory.is_shared(evidence.profile, run):
        read = shared_memory.READERS.get(metric.name, read)
    finding = read(metric, workers)
    if finding is None:
        return Unmeasured(metric, run.broken or _no_figure(metric, run))
    return emulated.memory(finding, run) if run.emulated else finding


def _static(metric: Metric, artifact: Artifact) -> Finding:
    values = {"size": artifact.size, "download": artifact.download, "params": artifact.params}
    value = values.get(metric.name)
    if value is None:
        return Unmeasured(metric, f"{metric.name} cannot be read from {artifact.format} files yet")
    return Measurement(metric, value, Provenance.STATIC)


def _likeness(metric: Metric, evidence: Evidence) -> Finding:
    seen = evidence.likeness
    if seen is None:
        return Unmeasured(metric, evidence.likeness_problem or "the artifact was not compared with its source")
    if seen.failure:
        return Unmeasured(metric, seen.failure, fails=True)
    value = seen.cosine if metric.name == "agreement" else seen.top1
    if value is None:
        return Unmeasured(metric, "the outputs are no classes")
    return Measurement(metric, value, Provenance.MEASURED, count=seen.samples, basis=seen.basis)


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


def _failed(metric: Metric, worker: WorkerRun, evidence: Evidence) -> Unmeasured:
    ending = worker.ending
    if ending.reason in _NOT_THE_MODEL:
        return Unmeasured(metric, ending.message)
    if ending.outcome is Outcome.REFUSED:
        return Unmeasured(metric, f"refused by the runtime {_DURING[ending.during]}: {ending.message}", fails=True)
    if ending.signal == "SIGILL":
        return Unmeasured(metric, f"{ending.message}: {_who(evidence)}", fails=True)
    return Unmeasured(metric, ending.message, fails=True)


def _who(evidence: Evidence) -> str:
    """The runtime and the core that do not go together."""
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
