"""Which variant fits which device: the checks of a report as a table, and the limit that decides each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgecheck.core.report import CheckResult, Report
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports.wording import WORST_FIRST, clean, margin

#: A status in one character.
SIGNS: Mapping[Status, str] = {Status.PASS: "✔", Status.WARN: "!", Status.UNKNOWN: "?", Status.FAIL: "✘"}


@dataclass(frozen=True, slots=True)
class Matrix:
    """Variants by devices."""

    rows: tuple[str, ...]
    """Variants; with their models where the report has several."""
    columns: tuple[str, ...]
    """Ids of devices."""
    cells: Mapping[tuple[str, str], CheckResult]
    """By row and column; where several checks have one place, the worst."""


def matrix(report: Report) -> Matrix | None:
    """The matrix of a report; None where it has one check, or all have one place."""
    rows = _row_names(report.results)
    cells: dict[tuple[str, str], CheckResult] = {}
    for result in report.results:
        place = (rows[_row(result)], clean(result.profile.id))
        if place not in cells or rank(result) < rank(cells[place]):
            cells[place] = result
    if len(cells) < 2:  # noqa: PLR2004 - of one check there is nothing to compare
        return None
    return Matrix(
        rows=tuple(dict.fromkeys(row for row, _ in cells)),
        columns=tuple(dict.fromkeys(column for _, column in cells)),
        cells=cells,
    )


_Row = tuple[str, str, str]


def _row(result: CheckResult) -> _Row:
    """Budget, model and variant; where the variant was chosen on each device, that it was."""
    variant = "auto" if result.tried else str(result.variant)
    return result.budget.path, result.budget.model.path.name, variant


def _row_names(results: Iterable[CheckResult]) -> dict[_Row, str]:
    """A name for each row, as short as distinguishes it from the others."""
    rows = list(dict.fromkeys(map(_row, results)))
    sources = {(budget, model) for budget, model, _ in rows}
    models = {model for _, model, _ in rows}
    names: dict[_Row, str] = {}
    for budget, model, variant in rows:
        if len(sources) == 1:
            name = variant
        elif len(models) == len(sources):
            name = f"{model} {variant}"
        else:
            name = f"{budget or model} {variant}"
        names[budget, model, variant] = clean(name)
    return names


def deciding(result: CheckResult) -> Verdict | None:
    """The limit that is nearest to its bound, or furthest beyond it, among those that decide the check's status."""
    decide = [one for one in result.verdicts if not one.ignored and one.status is result.status]
    with_margin = [one for one in decide if one.margin is not None and not math.isnan(one.margin)]
    if result.status is not Status.PASS and len(with_margin) < len(decide):  # without a figure: worse than any with one
        return next(one for one in decide if one not in with_margin)
    return min(with_margin, key=lambda one: one.margin or 0.0, default=next(iter(decide), None))


def cell(result: CheckResult) -> str:
    """Sign and worst margin: `✔ 22% room`; the status in a word where nothing has a margin."""
    decides = deciding(result)
    room = margin(decides) if decides is not None and result.status is not Status.UNKNOWN else ""
    return f"{SIGNS[result.status]} {room or result.status.value}"


def rank(result: CheckResult) -> tuple[int, float]:
    """Sorts the worst result first: by status, then by margin."""
    decides = deciding(result)
    room = decides.margin if decides is not None and result.status is not Status.UNKNOWN else None
    lowest = -math.inf if result.status is Status.FAIL else math.inf
    return WORST_FIRST.index(result.status), lowest if room is None else room


def best_first(results: Iterable[CheckResult]) -> list[CheckResult]:
    """The results with most room first, and those that fail last."""
    return sorted(results, key=rank, reverse=True)
