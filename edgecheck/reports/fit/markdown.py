"""Which variant fits, in Markdown, short enough for a pull request."""

from __future__ import annotations

from edgecheck.core.fitting import Fit, Outcome
from edgecheck.reports.fit import FitReport, words
from edgecheck.reports.markdown import MARK, text
from edgecheck.reports.wording import shortened

#: The first line, by which a pipeline finds its earlier comment and replaces it.
MARKER = "<!-- edgecheck fit -->"

_ANSWER = {Outcome.FITS: "✅", Outcome.NOTHING: "❌", Outcome.UNDECIDED: "❔"}


def render(report: FitReport) -> str:
    """A table for each model and device, under its answer."""
    foot = f"<sub>edgecheck {text(report.version)} on {text(report.host)}, {report.seconds:,.1f} s</sub>"
    return "\n\n".join([MARKER, *map(_fit, report.fits), foot]) + "\n"


def _fit(fit: Fit) -> str:
    columns = words.columns(fit)
    head = ["limit", "", *(f"{text(name)}<br>{state}" for name, state in columns), "provenance"]
    lines = [head, ["---"] * len(head)]
    lines += [
        [text(row.metric), text(row.bound), *map(_cell, row.cells), text(row.provenance)] for row in words.rows(fit)
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    notes = "\n".join(
        f"- **{text(variant)}**: {text(shortened(why))}" for variant, why in words.not_recommended(fit) if why
    )
    blocks = [
        f"### {_ANSWER[fit.outcome]} {text(words.title(fit))}",
        text(words.answer(fit)),
        table,
        "\n".join(notes),
        text(words.doubt(fit)),
        text(words.next_step(fit)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _cell(cell: words.Cell) -> str:
    mark = f"{MARK[cell.status]} " if cell.status is not None else ""
    return f"{mark}{text(cell.figure)}".strip() or words.NONE
