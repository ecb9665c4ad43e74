"""What the bytes behind a failed limit are, and what would save some: for limits on storage and on memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.advice import Advice, Means, Saved, advise
from edgecheck.anatomy.drivers import memory_of_trees
from edgecheck.anatomy.duplicates import Repeated, repeated
from edgecheck.anatomy.tables import By, Row, table, top
from edgecheck.anatomy.values import Anatomy, Kind
from edgecheck.checks.explain.activations import Activations, activations
from edgecheck.core.finding import Evidence
from edgecheck.core.metrics import DOWNLOAD, FOOTPRINT, RAM_PEAK, Family
from edgecheck.core.report import WOULD_HOLD, Part, WayOut
from edgecheck.core.run import Outcome, Phase, Run, WorkerRun
from edgecheck.core.verdict import Status, Verdict
from edgecheck.errors import ModelError

if TYPE_CHECKING:
    from edgecheck.anatomy.measuring import Measured


def ways_out(verdicts: Iterable[Verdict], evidence: Evidence) -> tuple[WayOut, ...]:
    """One for the failed limits on storage and one for those on memory; none where all hold.

    An artifact that cannot be read any more explains nothing; its verdicts stand.
    """
    failed = [verdict for verdict in verdicts if verdict.status is Status.FAIL]
    storage = tuple(verdict for verdict in failed if verdict.metric.takes_storage)
    memory = tuple(verdict for verdict in failed if verdict.metric.family is Family.MEMORY and not _refused(evidence))
    if not storage and not memory:
        return ()
    from edgecheck.anatomy.reading import read

    try:
        anatomy = read(Path(evidence.artifact.path))
        found = [_storage_way_out(storage, anatomy, evidence)] if storage else []
        return tuple([*found, _memory_way_out(memory, anatomy, evidence)] if memory else found)
    except ModelError:
        return ()


def _refused(evidence: Evidence) -> bool:
    """Whether the runtime did not take the model, so that no byte of its memory was the reason."""
    workers = evidence.run.workers if evidence.run is not None else ()
    return any(worker.ending.outcome is Outcome.REFUSED for worker in workers)


#: The most layers, and ways to save, that a person is shown with a verdict; `edgecheck size` has the rest.
SHOWN = 5


def _storage_way_out(verdicts: tuple[Verdict, ...], anatomy: Anatomy, evidence: Evidence) -> WayOut:
    """The largest layers and the advice; the weights are read only for a limit on the download.

    Raises:
        ModelError: the artifact no longer exists.
    """
    measured = None
    if any(verdict.metric == DOWNLOAD for verdict in verdicts):
        from edgecheck.anatomy.measuring import measure

        measured = measure(anatomy)
    parts = [_layer(row, anatomy) for row in top(table(anatomy, By.LAYER), SHOWN)]
    if evidence.runtime_size and any(verdict.metric == FOOTPRINT for verdict in verdicts):
        parts.insert(0, Part("runtime", evidence.runtime_size, "the unpacked runtime that is deployed with the model"))
    advice = savings(anatomy, repeated(anatomy), measured)
    helping = [_saving(each, verdicts) for each in advice if _concerned(each, verdicts)]
    return WayOut(
        metrics=tuple(verdict.metric.name for verdict in verdicts),
        parts=tuple(parts),
        savings=tuple(helping[:SHOWN]),
    )


def _layer(row: Row, anatomy: Anatomy) -> Part:
    words = [f"{100 * row.stored / max(1, anatomy.size):.0f} % of the file"]
    if row.kind is Kind.TENSORS and row.shape is not None:
        words.append(f"{row.dtype} {' x '.join(map(str, row.shape))}".strip())
    return Part(row.name, row.stored, ", ".join(words))


def _concerned(advice: Advice, verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """The limits on which the advice has a known effect; a smaller file is a smaller download by an unknown amount."""
    if advice.means is Means.GZIP:
        return []  # a download is counted as gzip leaves it
    on_download = advice.of is Saved.DOWNLOAD
    return [each for each in verdicts if each.metric.takes_storage and (each.metric == DOWNLOAD) == on_download]


def _saving(advice: Advice, verdicts: tuple[Verdict, ...]) -> Part:
    effects = [effect for verdict in _concerned(advice, verdicts) if (effect := _effect(advice, verdict))]
    return Part(advice.means.value, advice.saves, " ".join([*effects, advice.sentence]))


def _effect(advice: Advice, verdict: Verdict) -> str:
    """The figure with this saving alone, and whether that would be enough."""
    if verdict.found is None:
        return ""
    metric, left = verdict.metric, max(0.0, verdict.found - advice.saves)
    holds = left <= verdict.bound
    return f"{metric.name} {metric.show(left)}, {WOULD_HOLD if holds else 'still over'}."


def savings(
    anatomy: Anatomy, copies: Iterable[Repeated], measured: Mapping[int, Measured] | None
) -> tuple[Advice, ...]:
    """Everything that would make the model smaller, the largest saving first.

    By types and shapes, and where the weights were read (`measured`) by what compression would save.

    Raises:
        ModelError: the model's file no longer exists.
    """
    found = advise(anatomy, copies)
    if measured is None:
        return found
    from edgecheck.anatomy.measuring import advise_compression

    return tuple(sorted((*found, *advise_compression(anatomy, measured)), key=lambda advice: -advice.saves))


def zeros_by_row(anatomy: Anatomy, measured: Mapping[int, Measured], by: By, depth: int) -> Mapping[str, float]:
    """By row of the table: the share of its numbers that are zero; no entry where that is not known.

    The table does the grouping: it sums zeros in place of bytes, and numbers in place of memory.
    """
    counted = []
    for index, tensor in enumerate(anatomy.tensors):
        share = measured[index].zeros if index in measured else None
        if share is not None:
            counted.append(replace(tensor, stored=round(share * tensor.elements), memory=tensor.elements))
    rows = table(replace(anatomy, tensors=tuple(counted)), by, depth)
    return {row.name: row.stored / row.memory for row in rows if row.tensors and row.memory}


#: The most characters of an output's name.
_LONGEST = 60


def _memory_way_out(verdicts: tuple[Verdict, ...], anatomy: Anatomy, evidence: Evidence) -> WayOut:
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
