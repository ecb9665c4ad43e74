"""One artifact on an open target: lay out the job, follow the agent, give back the run."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.core.caveats import throttling
from edgecheck.core.events import PROTOCOL, RunReader
from edgecheck.core.looks import for_agent
from edgecheck.core.readers import FRESH_LOADS
from edgecheck.errors import TargetError
from edgecheck.targets import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgecheck.core.artifact import Artifact
    from edgecheck.core.budget import Budget
    from edgecheck.core.limits import Limit
    from edgecheck.core.run import Run
    from edgecheck.targets import Target

#: A line longer than this is no event of the agent's.
LONGEST_LINE = 64 * 2**20

#: The least and the most fresh processes for a memory peak, and by how much their peaks may differ.
MEMORY_PROCESSES = (2, 5)
MEMORY_SPREAD = 0.05

#: Seconds that a device which slowed itself down is left alone before it is measured once more: a heat sink's time
#: constant is of that order.
COOL_DOWN = 60.0

#: A model that needs more than this share of the device's memory has to show that it fits.
MUCH_OF_MEMORY = 0.5

#: More latencies than any table of looks takes, few enough to be sent and kept.
MOST_INFERENCES = 200_000

#: Seconds between two readings of the resident memory, and inferences while they are taken.
SAMPLING = 0.01
MEMORY_INFERENCES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a check needs to see."""

    budget: Budget
    limits: tuple[Limit, ...]
    requirements: tuple[str, ...] = ()
    """The runtime to bring along; empty: what the device has."""
    device_memory: int = 0
    """Bytes that the device can give to the model."""


def run_on(target: Target, artifact: Artifact, wanted: Wanted, *, tell: Callable[[str], None]) -> Run:
    """Run `artifact` on `target`; whatever becomes of it there is in the run.

    Args:
        target: Where.
        artifact: What.
        wanted: Which passes, and how far.
        tell: Is told what happens, a few words at a time.

    Raises:
        TargetError: the target could not be reached at all.
    """
    workload = _workload(target, artifact, wanted)
    run = _run(target, workload, tell)
    if throttling(run):
        tell(f"cooling down for {COOL_DOWN:.0f} s: the device reports {', '.join(throttling(run))}")
        time.sleep(COOL_DOWN)
        run = _run(target, workload, tell)
        run = replace(run, throttled=", ".join(throttling(run)))
    smaller = target.tight
    if smaller is not None and _may_not_fit(run, wanted.device_memory):
        tell("trying it in the device's own memory")
        again = _run(smaller, replace(workload, job={**workload.job, "deterministic": None}), tell)
        run = replace(run, fit=again.workers, broken=run.broken or again.broken)
    return run


def time_on(target: Target, artifact: Artifact, wanted: Wanted, *, tell: Callable[[str], None]) -> Run:
    """Only the steady inferences of `artifact`: timed, or counted where the clock counts instructions.

    See `run_on` for the arguments and for what is raised.
    """
    workload = _workload(target, artifact, wanted)
    return _run(target, replace(workload, job={**workload.job, "load": None, "memory": None}), tell)


def _workload(target: Target, artifact: Artifact, wanted: Wanted) -> Workload:
    return Workload(
        job=job(artifact, wanted, emulated=target.emulated),
        model=tuple(Path(file) for file in artifact.files),
        samples=Path(wanted.budget.samples) if wanted.budget.samples else None,
        requirements=wanted.requirements,
    )


def _run(target: Target, workload: Workload, tell: Callable[[str], None]) -> Run:
    reader = RunReader(str(target.address), emulated=target.emulated)
    with target.launch(workload, tell) as lines:
        broken = _follow(lines, reader, tell)
    return reader.run(broken)


def _may_not_fit(run: Run, device_memory: int) -> bool:
    """Whether the model needs so much that the device's own memory has to show whether it is enough."""
    peaks = [worker.peak for worker in run.watched if worker.peak is not None]
    return max(peaks, default=0) > MUCH_OF_MEMORY * device_memory


def job(artifact: Artifact, wanted: Wanted, *, emulated: bool = False) -> dict[str, object]:
    """The job for the agent, without the paths (docs/reference/agent-protocol.md)."""
    if emulated:
        return {**_common(artifact, wanted), **_EMULATED}
    return {**_common(artifact, wanted), **_timed(wanted)}


def _common(artifact: Artifact, wanted: Wanted) -> dict[str, object]:
    budget, effort = wanted.budget, wanted.budget.effort
    return {
        "protocol": PROTOCOL,
        "format": artifact.format,
        "runtime": None,
        "threads": budget.threads,
        "seed": 0,
        "inputs": {name: list(shape) for name, shape in budget.inputs.items()},
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


#: Where the clock counts instructions: batches of at least ten million of them until two agree, and no sampling more
#: often than it is worth there. One process shows both, since the next would be the same to the byte.
_EMULATED: dict[str, object] = {
    "threads": 1,
    "latency": None,
    "load": None,
    "deterministic": {"tolerance": 0.001, "batch_s": 0.01, "max_batches": 20},
    "memory": {"processes": [1, 1], "spread": MEMORY_SPREAD, "interval_s": 0.02, "inferences": 2},
}


def _timed(wanted: Wanted) -> dict[str, object]:
    effort = wanted.budget.effort
    names = {limit.metric.name for limit in wanted.limits}
    return {
        "deterministic": None,
        "latency": {
            "warmup_count": effort.warmup_count,
            "warmup_s": effort.warmup_time,
            "min_count": effort.min_count,
            "min_s": effort.min_time,
            "max_s": effort.max_time,
            "max_count": MOST_INFERENCES,
            "looks": [look for limit in wanted.limits for look in _looks(limit, effort.max_time)],
        },
        "load": {"processes": FRESH_LOADS} if names & {"load_time", "latency_first"} else None,
    }


def _looks(limit: Limit, span: float) -> Iterator[dict[str, object]]:
    """The tables by which the agent may stop early: one for each level of a limit on a percentile."""
    quantile = limit.metric.quantile
    if quantile is not None:
        for level, bound in (("error", limit.error), ("warn", limit.warn)):
            if bound is not None:
                yield for_agent(f"{limit.metric.name}:{level}", quantile, bound, span)


def _follow(lines: Iterable[bytes], reader: RunReader, tell: Callable[[str], None]) -> str:
    """Read until the agent is done; the text says why the run is not whole, empty where it is."""
    try:
        for line in lines:
            event = _parse(line)
            reader.feed(event)
            if words := _words(event):
                tell(words)
            if reader.done:
                return ""
    except TargetError as error:
        return error.message
    return "the agent ended before it was done"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line[:LONGEST_LINE])
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise TargetError(f"the agent wrote a line that is no event: {line[:80]!r}")
    return event


def _words(event: dict[str, Any]) -> str:
    match event.get("event"):
        case "start":
            return f"{event['purpose']} pass"
        case "waiting":
            return f"waiting for {event.get('holder') or 'another check'}"
        case "look":
            return f"{event['counts'][0]['n']:,} inferences" if event.get("counts") else ""
        case _:
            return ""
