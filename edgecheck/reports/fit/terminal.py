"""Which variant fits, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edgecheck.core.fitting import Fit, Outcome
from edgecheck.core.verdict import Status
from edgecheck.reports import Style
from edgecheck.reports.fit import FitReport, words
from edgecheck.reports.layout import Column, Grid, indented
from edgecheck.reports.terminal import paint

_MARK = {
    Status.PASS: ("✔", "green"),
    Status.WARN: ("!", "yellow"),
    Status.UNKNOWN: ("?", "magenta"),
    Status.FAIL: ("✘", "bold red"),
}
_LOOK = {Outcome.FITS: "green", Outcome.NOTHING: "bold red", Outcome.UNDECIDED: "magenta"}
_STATE = {"recommended": "bold green", "holds": "green", "fails": "red", "not made": "magenta", "undecided": "magenta"}

#: Columns before those of the variants: the metric and its limit.
_FIRST_COLUMNS = 2


def render(report: FitReport, style: Style) -> str:
    """For each device the table of limits and variants, why the others were not chosen, the answer, the next step."""
    parts: list[RenderableType] = []
    for fit in report.fits:
        parts += [fitted(fit, style.width), Text()]
    return paint(Group(*parts[:-1]), style)


def fitted(fit: Fit, width: int) -> RenderableType:
    """One model on one device."""
    parts: list[RenderableType] = [Text(words.title(fit), style="bold"), *map(indented, _tables(fit, width - 2))]
    parts += [
        indented(Text.assemble((f"{variant}: ", "bold"), text)) for variant, text in words.not_recommended(fit) if text
    ]
    if doubt := words.doubt(fit):
        parts.append(indented(Text(doubt, style="dim")))
    parts += [Text(words.answer(fit), style=_LOOK[fit.outcome]), Text(words.next_step(fit))]
    return Group(*parts)


def _tables(fit: Fit, width: int) -> list[Grid]:
    """One table; if the terminal is too narrow for it, several with some of the variants each."""
    every = range(len(words.columns(fit)))
    for at_once in range(len(every), 0, -1):
        groups = [every[at : at + at_once] for at in range(0, len(every), at_once)]
        tables = [_table(fit, group) for group in groups]
        if all(table.lines(width) is not None for table in tables):
            return tables
    return [_table(fit, range(at, at + 1)) for at in every]


def _table(fit: Fit, shown: range) -> Grid:
    columns, rows = words.columns(fit), words.rows(fit)
    layout = (*(Column(wraps=False) for _ in range(_FIRST_COLUMNS + len(shown))), Column())
    head = [
        (Text("limit", style="dim"), Text(), *(Text(columns[at][0], style="bold") for at in shown), Text()),
        (Text(), Text(), *(Text(columns[at][1], style=_STATE.get(columns[at][1], "dim")) for at in shown), Text()),
    ]
    body = [
        (Text(row.metric), Text(row.bound), *(_cell(row.cells[at]) for at in shown), Text(row.provenance, style="dim"))
        for row in rows
    ]
    return Grid(layout, [*head, *body])


def _cell(cell: words.Cell) -> Text:
    if cell.status is None:
        return Text(f"  {cell.figure}" if cell.figure else f"  {words.NONE}", style="" if cell.figure else "dim")
    mark, look = _MARK[cell.status]
    return Text.assemble((mark, look), f" {cell.figure}")
