"""What each operator takes on a device: the profiling pass, and the operators behind a failed limit on time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgecheck.anatomy.operators.naming import known_operators
from edgecheck.checks.session import Needs, profile_on
from edgecheck.core.artifact import Artifact
from edgecheck.core.caveats import noted, throttling
from edgecheck.core.device import DeviceProfile
from edgecheck.core.device_match import match
from edgecheck.core.emulated import instructions
from edgecheck.core.finding import Measurement
from edgecheck.core.measurement import NOT_THE_MODEL
from edgecheck.core.metrics import INSTRUCTIONS, Family, Provenance
from edgecheck.core.operators import (
    OF_THE_PROFILER,
    PER_SECOND,
    OperatorProfile,
    SeenProfile,
    named,
    summarised,
    union,
)
from edgecheck.core.report import Part, WayOut
from edgecheck.core.run import Ending, Outcome, Purpose, Run
from edgecheck.core.sayings import next_step
from edgecheck.core.statistics import percentile
from edgecheck.core.verdict import Status, Verdict
from edgecheck.errors import EdgecheckError, ModelError, TargetError
from edgecheck.targets import Target


class NoProfilerError(TargetError):
    """The runtime has no profiler."""


#: Operators that a failed limit shows.
SHOWN = 5


def profile_artifact(  # noqa: PLR0913 - as `profile_on`, and the device
    target: Target,
    artifact: Artifact,
    needs: Needs,
    device: DeviceProfile,
    progress: Callable[[str], None],
    *,
    compared: int | None = None,
) -> OperatorProfile:
    """The operators of an artifact on a target, with their names from its file.

    Args:
        target: Where to run.
        artifact: What to run.
        needs: As for a run.
        device: The profile of the device that the target is.
        progress: Called with a few words about each step.
        compared: As for `profile_on`.

    Raises:
        NoProfilerError: the runtime has none.
        TargetError: the target cannot be reached, or there is no complete profile; the message says why.
    """
    run, seen = profile_on(target, artifact, needs, progress, compared=compared)
    if not seen:
        error = NoProfilerError if run.runtime is not None and run.runtime.name == "tflite-runtime" else TargetError
        raise error(f"{artifact.model} was not profiled: {_why(run)}.", _way_out(run))
    profile = summarised(
        seen,
        runtime=_runtime(run, needs),
        plain=_plain(run),
        provenance=Provenance.EMULATED if run.emulated else Provenance.MEASURED,
    )
    return _named(profile, seen, artifact, _doubts(device, run))


def _runtime(run: Run, needs: Needs) -> str:
    """What ran it: `onnxruntime 1.32.0`, or `onnxruntime 1.24.1 with openvino`."""
    accelerator = needs.budget.accelerator
    return f"{run.runtime or ''}{f' with {accelerator}' if accelerator is not None else ''}"


def _doubts(device: DeviceProfile, run: Run) -> list[str]:
    """What gives reason to doubt the figures, a sentence each."""
    found = [f"The device throttled: {', '.join(flags)}."] if (flags := throttling(run)) else []
    if place := match(device, run).place:
        found.append(f"The model ran on {place}.")
    found += [f"{caveat.message} {caveat.advice}" for caveat in noted(run) if caveat.code in _DOUBTS]
    return found


#: The notes of a run that are about its profile, too.
_DOUBTS = frozenset({"guessed-dimension", "measured-earlier", "newer-package", "other-python"})


def _why(run: Run) -> str:
    """Why there is no profile."""
    if run.broken:
        return run.broken
    for worker in run.workers:
        if worker.ending.outcome is not Outcome.COMPLETED:
            refused = "refused by the runtime: " if _is_refusal(worker.ending) else ""
            return f"{refused}{worker.ending.message}".rstrip(".")
    notes = [note.message for note in run.notes if note.code == "no-profile"]
    return notes[0].rstrip(".") if notes else "the agent sent no profile"


def _is_refusal(ending: Ending) -> bool:
    """Whether it is the model that the runtime does not take."""
    return ending.outcome is Outcome.REFUSED and ending.reason not in {*NOT_THE_MODEL, "no-profile"}


def _way_out(run: Run) -> str:
    endings = [worker.ending for worker in run.workers]
    reasons = [ending.reason for ending in endings if ending.reason]
    steps = (step for reason in reasons if (step := next_step(reason)))
    other = "Use a model that this runtime accepts; the message says what it rejected."
    return next(steps, other if any(map(_is_refusal, endings)) else "")


def _plain(run: Run) -> float | None:
    """One inference without the profiler: the median, or what the clock counted."""
    for worker in run.of(Purpose.LATENCY):
        if worker.latencies:
            return percentile(worker.latencies, 0.5)
    counted = run.of(Purpose.DETERMINISTIC)
    found = instructions(INSTRUCTIONS, counted) if counted else None
    return found.value / PER_SECOND if isinstance(found, Measurement) else None


def _named(
    profile: OperatorProfile, seen: Sequence[SeenProfile], artifact: Artifact, notes: Sequence[str]
) -> OperatorProfile:
    try:
        operators = known_operators(Path(artifact.path), union(seen), profile.operators)
    except ModelError as error:
        return named(profile, profile.operators, [*notes, f"The operators have the runtime's names: {error.message}"])
    return named(profile, operators, notes)


def on_time(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """The metrics of failed limits on latency or instructions that have a figure."""
    return tuple(
        verdict.metric.name
        for verdict in verdicts
        if verdict.status is Status.FAIL
        and verdict.found is not None
        and verdict.metric.family in (Family.LATENCY, Family.COUNT)
    )


def without_operators(metrics: tuple[str, ...], error: EdgecheckError, command: str) -> WayOut:
    """Why the operators behind failed limits are not known; `command` profiles the model with another runtime."""
    note = f"Its operators are not known: {error.message}"
    if isinstance(error, NoProfilerError) and command:
        note = f"To see which operators take most, with a runtime that has a profiler: {command}"
    return WayOut(metrics=metrics, parts=(), notes=(note,))


def operators_way_out(metrics: tuple[str, ...], profile: OperatorProfile) -> WayOut:
    """The operators that take most."""
    scale = PER_SECOND if profile.counted else 1.0
    parts = tuple(
        Part(operator.name, operator.seconds * scale, _words(operator_share, operator.layer, operator.type))
        for operator in profile.largest(SHOWN)
        for operator_share in [profile.share(operator.seconds)]
    )
    count = len(profile.operators)
    note = f"By {profile.profiler}, in a separate pass; edgecheck profile shows all {count:,} operators."
    doubts = (OF_THE_PROFILER,) if profile.is_of_the_profiler else ()
    return WayOut(metrics=metrics, parts=parts, notes=(*doubts, note))


def _words(share: float, layer: str, kind: str) -> str:
    return ", ".join(
        part for part in (f"{share:.0%} of the inference", kind, f"layer {layer}" if layer else "") if part
    )
