"""A sweep as a table for a terminal."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from edgecheck.core.sweep import Sweep
from edgecheck.reports import Style
from edgecheck.reports.layout import Column, Grid
from edgecheck.reports.sweep import columns, notes
from edgecheck.reports.terminal import paint
from edgecheck.reports.wording import clean


def render(sweep: Sweep, style: Style) -> str:
    """A row for each model, with what was varied in front."""
    shown = columns(sweep)
    heading = [Text(clean(sweep.factor), style="bold"), *(Text(each.name, style="bold") for each in shown)]
    rows = [
        [Text(clean(point.value)), *(Text(_cell(each.read(point), each.words)) for each in shown)]
        for point in sweep.points
    ]
    grid = Grid((Column(), *(Column(justify="right") for _ in shown)), [heading, *rows])
    return paint(Group(grid, *(Text(clean(each), style="dim") for each in notes(sweep))), style)


def _cell(value: float | None, words: object) -> str:
    return "?" if value is None or not callable(words) else str(words(value))
