"""The bytes behind a process's peak memory: runtime, weights and activations, measured and by the file's shapes."""

from __future__ import annotations

from pathlib import Path

from edgecheck.anatomy.advice import Means, advise
from edgecheck.anatomy.drivers import memory_of_trees
from edgecheck.anatomy.values import Anatomy
from edgecheck.checks.explain.activations import Activations, activations
from edgecheck.core.finding import Evidence
from edgecheck.core.metrics import RAM_PEAK
from edgecheck.core.report import Part, WayOut
from edgecheck.core.run import Phase, Run, WorkerRun
from edgecheck.core.verdict import Verdict

#: The most characters of an output's name.
_LONGEST = 60


def memory_way_out(verdicts: tuple[Verdict, ...], anatomy: Anatomy, evidence: Evidence) -> WayOut:
    """What each phase of the process with the highest peak added, with what the file says about its bytes.

    Raises:
        ModelError: the artifact no longer exists.
    """
    found = activations(Path(evidence.artifact.path), evidence.artifact.signature)
    weights = memory_of_trees(anatomy) or anatomy.totals.memory
    worker = _highest(evidence.run)
    parts = _phases(worker, weights, found) if worker is not None else _by_file(weights, found)
    return WayOut(
        metrics=tuple(verdict.metric.name for verdict in verdicts),
        parts=parts,
        savings=tuple(
            Part(each.means.value, each.saves, each.sentence) for each in advise(anatomy) if _in_memory(each.means)
        ),
        notes=tuple(note for note in (_no_room(verdicts, worker), _not_counted(found)) if note),
    )


def _highest(run: Run | None) -> WorkerRun | None:
    """The process with the highest peak, of those that recorded it."""
    workers = [each for each in (run.memory_workers or run.workers if run else ()) if each.peak is not None]
    return max(workers, key=_peak, default=None)


def _peak(worker: WorkerRun) -> int:
    return worker.peak or 0


def _rss(worker: WorkerRun, phase: Phase) -> int | None:
    mark = worker.mark(phase)
    return mark.rss if mark is not None else None


def _phases(worker: WorkerRun, weights: int, found: Activations | None) -> tuple[Part, ...]:
    """What each phase added to the resident memory before it; the parts sum to the peak."""
    ready, loaded = _rss(worker, Phase.RUNTIME_READY), _rss(worker, Phase.MODEL_LOADED)
    parts, before = [], 0
    if ready is not None:
        parts.append(Part("runtime", ready, "Python and the runtime, before any model"))
        before = ready
    if ready is not None and loaded is not None:
        show = RAM_PEAK.show
        parts.append(Part("loading", max(0, loaded - ready), f"the model; its weights take {show(weights)} when dense"))
        before = max(before, loaded)
    name = "inference" if loaded is not None else "loading" if ready is not None else "start"
    words = f"up to the peak; {_alive(found)}" if found and loaded is not None else "up to the peak"
    parts.append(Part(name, max(0, _peak(worker) - before), words))
    return tuple(parts)


def _by_file(weights: int, found: Activations | None) -> tuple[Part, ...]:
    """What the file says, where no process recorded its memory."""
    parts = [Part("weights", weights, "when dense")]
    return tuple([*parts, Part("activations", found.peak, _alive(found))] if found else parts)


def _alive(found: Activations) -> str:
    output = found.output if len(found.output) <= _LONGEST else f"{found.output[:_LONGEST]}…"
    counted = ", open dimensions counted as 1" if found.has_open else ""
    size = RAM_PEAK.show(found.peak)
    return f"{size} of activations by their shapes, the most at {found.operator} {output}{counted}"


def _in_memory(means: Means) -> bool:
    """Whether it saves memory too: runtimes expand float16 weights to float32, and never load leftovers of training."""
    return means in (Means.INT8, Means.VOCABULARY, Means.DEDUPLICATE)


def _no_room(verdicts: tuple[Verdict, ...], worker: WorkerRun | None) -> str:
    """That no model would hold the limit, where the runtime alone exceeds it; else empty."""
    ready = _rss(worker, Phase.RUNTIME_READY) if worker is not None else None
    for verdict in verdicts:
        if verdict.metric == RAM_PEAK and ready is not None and ready > verdict.bound:
            show = verdict.metric.show
            return f"The runtime alone takes {show(ready)}: no model holds a limit of {show(verdict.bound)} with it."
    return ""


def _not_counted(found: Activations | None) -> str:
    if found is not None:
        return ""
    return "Activations are not counted: the file does not say the shapes of what it computes."
