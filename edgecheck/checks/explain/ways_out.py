"""What the bytes behind a failed limit are, and what would save some: for limits on storage and on memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.advice import Advice, Means, Saved, advise
from edgecheck.anatomy.duplicates import Repeated, repeated
from edgecheck.anatomy.tables import By, Row, table, top
from edgecheck.anatomy.values import Anatomy, Kind
from edgecheck.checks.explain.memory import memory_way_out
from edgecheck.core.finding import Evidence
from edgecheck.core.metrics import DOWNLOAD, FOOTPRINT, Family
from edgecheck.core.report import WOULD_HOLD, Part, WayOut
from edgecheck.core.run import Outcome
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
        found = [storage_way_out(storage, anatomy, evidence)] if storage else []
        return tuple([*found, memory_way_out(memory, anatomy, evidence)] if memory else found)
    except ModelError:
        return ()


def _refused(evidence: Evidence) -> bool:
    """Whether the runtime did not take the model, so that no byte of its memory was the reason."""
    workers = evidence.run.workers if evidence.run is not None else ()
    return any(worker.ending.outcome is Outcome.REFUSED for worker in workers)


#: The most layers, and ways to save, that a person is shown with a verdict; `edgecheck size` has the rest.
SHOWN = 5


def storage_way_out(verdicts: tuple[Verdict, ...], anatomy: Anatomy, evidence: Evidence) -> WayOut:
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
