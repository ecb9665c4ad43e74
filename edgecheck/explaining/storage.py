"""The bytes behind a size, a download or a footprint, and which saving would be enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.advice import Saved
from edgecheck.anatomy.duplicates import repeated
from edgecheck.anatomy.tables import By, table, top
from edgecheck.anatomy.values import Kind
from edgecheck.core.way_out import Part, WayOut
from edgecheck.explaining.savings import savings

if TYPE_CHECKING:
    from edgecheck.anatomy.advice import Advice
    from edgecheck.anatomy.tables import Row
    from edgecheck.anatomy.values import Anatomy
    from edgecheck.core.finding import Evidence
    from edgecheck.core.verdict import Verdict

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
