"""Why limits on bytes do not hold, and what would help, for the verdicts of one check."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.advice import Advice, Saved, advise
from edgecheck.anatomy.duplicates import repeated
from edgecheck.anatomy.tables import By, table, top
from edgecheck.anatomy.values import Kind
from edgecheck.checks.explain.memory import memory_way_out
from edgecheck.core.report import Part, WayOut
from edgecheck.core.verdict import Status
from edgecheck.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecheck.anatomy.advice import Advice
    from edgecheck.anatomy.duplicates import Repeated
    from edgecheck.anatomy.measuring import Measured
    from edgecheck.anatomy.tables import Row
    from edgecheck.anatomy.values import Anatomy
    from edgecheck.core.finding import Evidence
    from edgecheck.core.verdict import Verdict


# RF-SECTION zeros: How many of a row's numbers are zero, for rows that group tensors.


def zeros_by_row(anatomy: Anatomy, measured: Mapping[int, Measured], by: By, depth: int) -> Mapping[str, float]:
    """By a row's name: the share of its numbers that are zero; no entry where they cannot be told apart.

    The table does the grouping: it sums zeros in place of bytes, and numbers in place of memory.
    """
    counted = []
    for index, tensor in enumerate(anatomy.tensors):
        share = measured[index].zeros if index in measured else None
        if share is not None:
            counted.append(replace(tensor, stored=round(share * tensor.elements), memory=tensor.elements))
    rows = table(replace(anatomy, tensors=tuple(counted)), by, depth)
    return {row.name: row.stored / row.memory for row in rows if row.tensors and row.memory}


# RF-SECTION savings: Everything that would make a model smaller, as one list.


def savings(
    anatomy: Anatomy, copies: Iterable[Repeated], measured: Mapping[int, Measured] | None
) -> tuple[Advice, ...]:
    """What types and shapes tell, and where the weights were read what compression would save; the most first.

    Raises:
        ModelError: the model's file is no longer there.
    """
    found = advise(anatomy, copies)
    if measured is None:
        return found
    from edgecheck.anatomy.measuring import advise_compression

    return tuple(sorted((*found, *advise_compression(anatomy, measured)), key=lambda advice: -advice.saves))


# RF-SECTION storage: The bytes behind a size, a download or a footprint, and which saving would be enough.

SHOWN = 5
"""Layers, and ways to save: what a person reads beside a verdict; `edgecheck size` has the rest."""


def storage_way_out(verdicts: tuple[Verdict, ...], anatomy: Anatomy, evidence: Evidence) -> WayOut:
    """The largest layers and the advice; the weights are read where a download is in question.

    Raises:
        ModelError: the artifact is no longer there.
    """
    measured = None
    if any(verdict.metric.name == "download" for verdict in verdicts):
        from edgecheck.anatomy.measuring import measure

        measured = measure(anatomy)
    parts = [_layer(row, anatomy) for row in top(table(anatomy, By.LAYER), SHOWN)]
    if evidence.runtime_size and any(verdict.metric.name == "footprint" for verdict in verdicts):
        parts.insert(0, Part("runtime", evidence.runtime_size, "the unpacked runtime that is deployed with the model"))
    advice = savings(anatomy, repeated(anatomy), measured)
    helping = [_saving(each, verdicts) for each in advice if _concerned(each, verdicts)]
    return WayOut(
        tuple(verdict.metric.name for verdict in verdicts),
        tuple(parts),
        tuple(helping[:SHOWN]),
    )


def _layer(row: Row, anatomy: Anatomy) -> Part:
    words = [f"{100 * row.stored / max(1, anatomy.size):.0f} % of the file"]
    if row.kind is Kind.TENSORS and row.shape is not None:
        words.append(f"{row.dtype} {' x '.join(map(str, row.shape))}".strip())
    return Part(row.name, row.stored, ", ".join(words))


def _concerned(advice: Advice, verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """The limits for which it is known what the advice would do; a smaller file downloads faster by an unknown bit."""
    names = ("download",) if advice.of is Saved.DOWNLOAD else ("size", "footprint")
    if advice.of is Saved.DOWNLOAD and advice.means.value == "gzip":
        return []  # a download is counted as gzip leaves it
    return [verdict for verdict in verdicts if verdict.metric.name in names]


def _saving(advice: Advice, verdicts: tuple[Verdict, ...]) -> Part:
    answers = [answer for verdict in _concerned(advice, verdicts) if (answer := _answer(advice, verdict))]
    return Part(advice.means.value, advice.saves, " ".join([*answers, advice.sentence]))


def _answer(advice: Advice, verdict: Verdict) -> str:
    """Whether this alone would be enough."""
    if verdict.found is None:
        return ""
    metric, left = verdict.metric, max(0.0, verdict.found - advice.saves)
    holds = left <= verdict.bound
    return f"{metric.name} {metric.show(left)}, {'which would hold' if holds else 'still over'}."


STORAGE = ("size", "download", "footprint")
MEMORY = ("ram_peak", "ram_model")


def ways_out(verdicts: Iterable[Verdict], evidence: Evidence) -> tuple[WayOut, ...]:
    """One for the storage limits that do not hold and one for the memory limits; none where all hold.

    The artifact is looked into only here. One that cannot be read any more explains nothing; its verdicts stand.
    """
    failed = [verdict for verdict in verdicts if verdict.status is Status.FAIL]
    storage = tuple(verdict for verdict in failed if verdict.metric.name in STORAGE)
    memory = tuple(verdict for verdict in failed if verdict.metric.name in MEMORY)
    if not storage and not memory:
        return ()
    from edgecheck.anatomy.reading import read

    try:
        anatomy = read(Path(evidence.artifact.path))
        found = [storage_way_out(storage, anatomy, evidence)] if storage else []
        return tuple([*found, memory_way_out(memory, anatomy, evidence)] if memory else found)
    except ModelError:
        return ()
