"""The bytes behind a process's peak: runtime, weights and activations, as they were seen and as the file tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.advice import Means, advise
from edgecheck.checks.explain.activations import activations
from edgecheck.core.metrics import METRICS
from edgecheck.core.report import Part, WayOut
from edgecheck.core.run import Phase

if TYPE_CHECKING:
    from edgecheck.anatomy.values import Anatomy
    from edgecheck.checks.explain.activations import Activations
    from edgecheck.core.finding import Evidence
    from edgecheck.core.run import Run, WorkerRun
    from edgecheck.core.verdict import Verdict

_LONGEST = 60


def memory_way_out(verdicts: tuple[Verdict, ...], anatomy: Anatomy, evidence: Evidence) -> WayOut:
    """What each phase of the fullest process added, beside what the file tells of weights and activations.

    Raises:
        ModelError: the artifact is no longer there.
    """
    found = activations(Path(evidence.artifact.path))
    weights = anatomy.totals.memory
    worker = _fullest(evidence.run)
    seen = _phases(worker, weights, found) if worker is not None else _untold(weights, found)
    return WayOut(
        tuple(verdict.metric.name for verdict in verdicts),
        seen,
        tuple(Part(each.means.value, each.saves, each.sentence) for each in advise(anatomy) if _in_memory(each.means)),
        tuple(note for note in (_no_room(verdicts, worker), _not_counted(found)) if note),
    )


def _fullest(run: Run | None) -> WorkerRun | None:
    """The process with the highest peak, of those that tell their phases."""
    workers = [each for each in (run.watched or run.workers if run else ()) if each.peak is not None]
    return max(workers, key=_peak, default=None)


def _peak(worker: WorkerRun) -> int:
    return worker.peak or 0


def _rss(worker: WorkerRun, phase: Phase) -> int | None:
    mark = worker.mark(phase)
    return mark.rss if mark is not None else None


def _phases(worker: WorkerRun, weights: int, found: Activations | None) -> tuple[Part, ...]:
    """What each phase added to what was there before; together they are the peak."""
    ready, loaded = _rss(worker, Phase.RUNTIME_READY), _rss(worker, Phase.MODEL_LOADED)
    parts, before = [], 0
    if ready is not None:
        parts.append(Part("runtime", ready, "Python and the runtime, before any model"))
        before = ready
    if ready is not None and loaded is not None:
        show = METRICS["ram_peak"].show
        parts.append(Part("loading", max(0, loaded - ready), f"the model; its weights take {show(weights)} when dense"))
        before = max(before, loaded)
    name = "inference" if loaded is not None else "loading" if ready is not None else "start"
    words = f"up to the peak; {_alive(found)}" if found and loaded is not None else "up to the peak"
    parts.append(Part(name, max(0, _peak(worker) - before), words))
    return tuple(parts)


def _untold(weights: int, found: Activations | None) -> tuple[Part, ...]:
    """Where no process told of its memory, what the file says."""
    parts = [Part("weights", weights, "when dense")]
    return tuple([*parts, Part("activations", found.peak, _alive(found))] if found else parts)


def _alive(found: Activations) -> str:
    output = found.output if len(found.output) <= _LONGEST else f"{found.output[:_LONGEST]}…"
    counted = ", open dimensions counted as 1" if found.has_open else ""
    size = METRICS["ram_peak"].show(found.peak)
    return f"{size} of activations by their shapes, the most at {found.operator} {output}{counted}"


def _in_memory(means: Means) -> bool:
    """Whether it saves memory too: runtimes turn float16 weights to float32, and never load what training left."""
    return means in (Means.INT8, Means.VOCABULARY, Means.DEDUPLICATE)


def _no_room(verdicts: tuple[Verdict, ...], worker: WorkerRun | None) -> str:
    """Where the runtime alone is over the limit, no model would hold it."""
    ready = _rss(worker, Phase.RUNTIME_READY) if worker is not None else None
    for verdict in verdicts:
        if verdict.metric.name == "ram_peak" and ready is not None and ready > verdict.bound:
            show = verdict.metric.show
            return f"The runtime alone takes {show(ready)}: no model holds a limit of {show(verdict.bound)} with it."
    return ""


def _not_counted(found: Activations | None) -> str:
    if found is not None:
        return ""
    return "Activations are not counted: the file does not say the shapes of what it computes."
