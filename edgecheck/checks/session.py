"""One run of an artifact on a target: write the job, follow the agent, return what was seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgecheck.checks.from_model import FORMATS
from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Effort
from edgecheck.core.caveats import throttling
from edgecheck.core.events import PROTOCOL, RunReader
from edgecheck.core.limits import Limit
from edgecheck.core.looks import LEAST_TIME, for_agent
from edgecheck.core.metrics import Family
from edgecheck.core.operators import SeenProfile
from edgecheck.core.outputs import SeenOutput
from edgecheck.core.readers import FRESH_LOADS
from edgecheck.core.run import Outcome, Run
from edgecheck.errors import ConnectionLostError, RestartedError, TargetError, UndecidedError
from edgecheck.interrupts import pause
from edgecheck.targets import Reuse, Target, Workload

#: The fewest and the most fresh processes for a memory peak, and the share by which their peaks may differ.
MEMORY_PROCESSES = (2, 5)
MEMORY_SPREAD = 0.05

#: Seconds that a throttled device is left alone before it is measured again: a heat sink's time constant is of that
#: order.
COOL_DOWN = 60.0

#: A model that needs more than this share of the device's memory has to show that it fits.
MUCH_OF_MEMORY = 0.5

#: The most inferences of the latency pass: more than any table of looks needs, few enough to send and keep.
MOST_INFERENCES = 200_000

#: How often a run begins again because its device was restarted.
_RESTARTS = 1

#: Seconds measured, at least, where no limit asks for more.
SHORTEST = 1.0

#: Seconds between two readings of the resident memory, and the inferences during which they are taken.
SAMPLING = 0.01
MEMORY_INFERENCES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a check needs from a run."""

    budget: Budget
    limits: tuple[Limit, ...]
    requirements: tuple[str, ...] = ()
    """The runtime to install; empty: the one on the device."""
    device_memory: int = 0
    """Bytes available to the model on the device."""
    reuse: Reuse = field(default_factory=Reuse)
    """Which earlier results may be taken where runs repeat exactly."""
    is_handed_on: bool = False
    """Whether another board takes a run that is broken off: then it is an error, else what there is of it counts."""


def run_on(target: Target, artifact: Artifact, needs: Needs, *, progress: Callable[[str], None]) -> Run:
    """Run `artifact` on `target`. A crash, refusal or timeout there is part of the returned run.

    Args:
        target: Where to run.
        artifact: What to run.
        needs: Which passes to run, and for how long.
        progress: Called with a few words about each step.

    Raises:
        TargetError: the target could not be reached at all, its agent sent what does not fit the protocol, or the
            connection broke and another board takes over.
    """
    workload = _workload(target, artifact, needs)
    run = _run(target, workload, progress, is_handed_on=needs.is_handed_on)
    if throttling(run) and not needs.budget.effort.sustained and not run.still_hot:  # sustained: it shows throttling
        progress(f"cooling down for {COOL_DOWN:.0f} s: the device reports {', '.join(throttling(run))}")
        pause(COOL_DOWN)
        run = _run(target, workload, progress, is_handed_on=needs.is_handed_on)
        run = replace(run, throttled=", ".join(throttling(run)))
    exact = target.tight
    if exact is None:
        return run
    available = run.before.ram_available
    if available is not None and available < needs.device_memory and _may_not_fit(run, available):
        progress("running it again in a machine with the device's RAM, which is larger")
        return _run(exact, workload, progress)
    if _may_not_fit(run, needs.device_memory):
        progress("running it again in a machine with the device's RAM")
        again = _run(exact, replace(workload, job={**workload.job, "deterministic": None}), progress)
        run = replace(run, fit=again.workers, broken=run.broken or again.broken)
    return run


def time_on(target: Target, artifact: Artifact, needs: Needs, *, progress: Callable[[str], None]) -> Run:
    """Only the steady inferences of `artifact`: timed, or counted where the clock counts instructions.

    Arguments and errors are those of `run_on`.
    """
    workload = _workload(target, artifact, needs)
    return _run(target, replace(workload, job={**workload.job, "load": None, "memory": None}), progress)


#: The profiling pass: seconds of inferences, at least and at most, and the most of them.
_PROFILE = {"warmup_count": 2, "max_count": 200, "min_s": 1.0, "max_s": 10.0}

#: Where the clock counts instructions, the least of four steady inferences repeats.
_COUNTED_PROFILE = {"warmup_count": 1, "max_count": 4, "min_s": 0.0, "max_s": 0.0}


def profile_on(
    target: Target, artifact: Artifact, needs: Needs, progress: Callable[[str], None], *, compared: int | None
) -> tuple[Run, tuple[SeenProfile, ...]]:
    """The operators of steady inferences, by the runtime's own profiler, in a separate pass.

    Args:
        target: Where to run.
        artifact: What to run.
        needs: As for `run_on`.
        progress: Called with a few words about each step.
        compared: How many processes profile, where inferences are also timed or counted without the profiler; None
            where they have been, and one process is enough.

    Returns:
        The run, and the profile of each process that completed its profile.

    Raises:
        TargetError: as `run_on`.
    """
    workload = _workload(target, artifact, needs)
    plan = {**_COUNTED_PROFILE, "processes": 1} if target.emulated else {**_PROFILE, "processes": compared or 1}
    only = {"load": None, "memory": None, "outputs": False, "profile": plan}
    timed = {"latency": None, "deterministic": None} if compared is None else {}
    return _read(target, replace(workload, job={**workload.job, **only, **timed}), progress)


#: The profiling pass that shows who ran which node, and for how long; it decides no latency.
_WHERE = {"warmup_count": 1, "max_count": 50, "min_s": 0.3, "max_s": 5.0, "processes": 1}


def outputs_on(
    target: Target, artifact: Artifact, needs: Needs, samples: Path, progress: Callable[[str], None]
) -> tuple[Run, tuple[tuple[SeenOutput, ...], ...]]:
    """What the artifact returns on the target for each sample of an .npz, and the run that it returned it in.

    Raises:
        TargetError: as `run_on`.
    """
    workload = _workload(target, artifact, needs)
    only = {"load": None, "memory": None, "profile": None, "latency": None, "deterministic": None, "outputs": True}
    reader = RunReader(str(target.address), emulated=target.emulated)
    with target.launch(replace(workload, job={**workload.job, **only}, samples=samples), progress) as lines:
        broken = _follow(lines, reader, progress)
    return reader.run(broken), reader.outputs.samples


def _workload(target: Target, artifact: Artifact, needs: Needs) -> Workload:
    return Workload(
        job=job(artifact, needs, emulated=target.emulated),
        model=tuple(Path(file) for file in artifact.files),
        samples=Path(needs.budget.samples) if needs.budget.samples else None,
        requirements=needs.requirements,
        reuse=needs.reuse,
    )


def _run(target: Target, workload: Workload, progress: Callable[[str], None], *, is_handed_on: bool = False) -> Run:
    return _read(target, workload, progress, is_handed_on=is_handed_on)[0]


def _read(
    target: Target, workload: Workload, progress: Callable[[str], None], *, is_handed_on: bool = False
) -> tuple[Run, tuple[SeenProfile, ...]]:
    """The run and its profiles; from the beginning, if the device was restarted in the middle."""
    for _ in range(_RESTARTS):
        with suppress(RestartedError):
            return _read_once(target, workload, progress, is_handed_on=is_handed_on)
        progress("running it again: the device was restarted")
    return _read_once(target, workload, progress, is_handed_on=is_handed_on)


def _read_once(
    target: Target, workload: Workload, progress: Callable[[str], None], *, is_handed_on: bool
) -> tuple[Run, tuple[SeenProfile, ...]]:
    reader = RunReader(str(target.address), emulated=target.emulated)
    with target.launch(workload, progress) as lines:
        broken = _follow(lines, reader, progress, is_handed_on=is_handed_on)
    return reader.run(broken), reader.profiles


def _may_not_fit(run: Run, device_memory: int) -> bool:
    """Whether the model needs so much that it must also run in a machine with this memory and no more."""
    endings = [worker.ending for worker in run.memory_workers]
    if any(end.outcome is Outcome.KILLED_FOR_MEMORY or end.reason == "out-of-memory" for end in endings):
        return True
    peaks = [worker.peak for worker in run.memory_workers if worker.peak is not None]
    return max(peaks, default=0) > MUCH_OF_MEMORY * device_memory


def job(artifact: Artifact, needs: Needs, *, emulated: bool = False) -> dict[str, object]:
    """The job for the agent, without the paths (docs/reference/agent-protocol.md).

    Raises:
        UndecidedError: the runtime that was asked for does not run the artifact's format.
    """
    if emulated:
        return {**_common(artifact, needs), **_EMULATED}
    return {**_common(artifact, needs), **_timed(needs)}


def _common(artifact: Artifact, needs: Needs) -> dict[str, object]:
    budget, effort = needs.budget, needs.budget.effort
    return {
        "protocol": PROTOCOL,
        "format": artifact.format,
        "runtime": _runtime_name(budget.runtime, artifact.format) or None,
        "threads": budget.threads,
        "accelerator": _accelerator(budget),
        "seed": 0,
        "inputs": {name: list(shape) for name, shape in budget.inputs.items()},
        "signature": artifact.signature or None,
        "deadline_s": effort.deadline,
        "outputs": False,
        "lock": None,
        "memory": {
            "processes": list(MEMORY_PROCESSES),
            "spread": MEMORY_SPREAD,
            "interval_s": SAMPLING,
            "inferences": MEMORY_INFERENCES,
        },
    }


def _runtime_name(requirement: str, form: str) -> str:
    """What the agent calls the runtime: onnxruntime also where another package (-gpu, -openvino) brings it."""
    asked = re.split("[=<>~! ]", requirement)[0].lower().replace("_", "-")
    name = "onnxruntime" if asked.startswith("onnxruntime-") else asked
    if FORMATS.get(asked, form) != form:
        other = next(each for each in FORMATS if FORMATS[each] == form)
        raise UndecidedError(
            f"{asked} does not run .{form} models.", f"Leave out --runtime, or name one that does: {other}."
        )
    return name


def _accelerator(budget: Budget) -> dict[str, str | None] | None:
    wanted = budget.accelerator
    return None if wanted is None else {"provider": wanted.provider, "precision": wanted.precision or None}


#: Where the clock counts instructions: batches of at least ten million of them until two agree, and memory sampled
#: half as often. One process shows both, since the next would be the same to the byte.
_EMULATED: dict[str, object] = {
    "threads": 1,
    "latency": None,
    "load": None,
    "deterministic": {"tolerance": 0.001, "batch_s": 0.01, "max_batches": 20},
    "memory": {"processes": [1, 1], "spread": MEMORY_SPREAD, "interval_s": 0.02, "inferences": 2},
}


def _timed(needs: Needs) -> dict[str, object]:
    effort = needs.budget.effort
    return {
        "pin": effort.pin,
        "cluster": needs.budget.cluster or None,
        "cooling_s": effort.cooling_time,
        "deterministic": None,
        "latency": {
            "warmup_count": effort.warmup_count,
            "warmup_s": effort.warmup_time,
            "min_count": effort.min_count,
            "min_s": _least_time(needs),
            "max_s": effort.max_time,
            "max_count": MOST_INFERENCES,
            "looks": [] if effort.sustained else [look for limit in needs.limits for look in _looks(limit, effort)],
            "sustained_s": effort.sustained,
        },
        "load": _loads(needs),
        "profile": _WHERE if needs.budget.accelerator is not None else None,
    }


def _loads(needs: Needs) -> dict[str, int] | None:
    """The load pass, where a limit needs it; once more from the accelerator's cache, if it has one."""
    wanted = {limit.metric for limit in needs.limits if limit.metric.family is Family.LOAD}
    if not wanted:
        return None
    accelerator = needs.budget.accelerator
    caches = accelerator is not None and accelerator.kind.caches
    return {"processes": FRESH_LOADS, "cached": FRESH_LOADS if caches else 0}


def _least_time(needs: Needs) -> float:
    """Seconds to measure whatever is decided; a mean has no looks, and needs as long as a percentile."""
    effort = needs.budget.effort
    if effort.min_time is not None:
        return effort.min_time
    without_looks = any(limit.metric.family is Family.LATENCY and not limit.metric.quantile for limit in needs.limits)
    return min(LEAST_TIME if without_looks else SHORTEST, effort.max_time)


def _looks(limit: Limit, effort: Effort) -> Iterator[dict[str, object]]:
    """The tables by which the agent may stop early: one per level of a limit on a percentile."""
    quantile = limit.metric.quantile
    if quantile is not None:
        for level, bound in (("error", limit.error), ("warn", limit.warn)):
            if bound is not None:
                yield for_agent(f"{limit.metric.name}:{level}", quantile, bound, effort.max_time, effort.min_time)


def _follow(
    lines: Iterable[bytes], reader: RunReader, progress: Callable[[str], None], *, is_handed_on: bool = False
) -> str:
    """Read until the agent is done; returns why the run is incomplete, empty where it is complete.

    Raises:
        RestartedError: the device was restarted, and the run can begin again.
        TargetError: what the agent sent does not fit the protocol: nothing that it sent is believed. Or the connection
            broke and the run `is_handed_on`.
    """
    coming = iter(lines)
    while not reader.done:
        try:
            line = next(coming, None)
        except RestartedError:
            raise
        except TargetError as error:
            if is_handed_on and isinstance(error, ConnectionLostError):
                raise
            return error.message
        if line is None:
            return "the agent exited before finishing"
        if words := _progress(reader.hear(line)):
            progress(words)
    return ""


def _progress(event: dict[str, Any]) -> str:
    """The event as a progress message; empty where it is not worth one."""
    match event.get("event"):
        case "start":
            return f"{event['purpose']} pass"
        case "waiting":
            return f"waiting for {event.get('holder') or 'another check'}"
        case "look":
            return f"{event['counts'][0]['n']:,} inferences" if event.get("counts") else ""
        case _:
            return ""
