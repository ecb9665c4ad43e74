"""Reports of `edgecheck sweep`: the columns that all of them show, and a function for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.core.finding import Unmeasured
from edgecheck.core.metrics import AGREEMENT, METRICS, TOP1
from edgecheck.core.sweep import RUN_METRICS, Point, Sweep
from edgecheck.core.text import clean
from edgecheck.core.units import Unit, show
from edgecheck.reports import Style, cells

if TYPE_CHECKING:
    from edgecheck.reports.plots import Plot

#: A line of a plot needs two points.
_LEAST = 2


class Column(NamedTuple):
    """A figure of every point."""

    name: str
    unit: str
    """In CSV files: `bytes`, `s`; empty for counts and shares."""
    read: Callable[[Point], float | None]
    """In base units."""
    words: Callable[[float], str]
    provenance: str
    """`static` or `measured`."""


def columns(sweep: Sweep) -> tuple[Column, ...]:
    """The columns that have a figure for at least one point."""
    every = (
        Column("size", "bytes", lambda point: point.size, _bytes, "static"),
        Column("params", "", lambda point: point.params, lambda value: f"{value:,.0f}", "static"),
        Column("zeros", "", lambda point: point.zeros, lambda value: f"{value:.1%}", "static"),
        Column("download", "bytes", lambda point: point.download, _bytes, "static"),
        Column(AGREEMENT.name, "", lambda point: point.agreement, lambda value: show(value, Unit.RATIO), "measured"),
        Column(TOP1.name, "", lambda point: point.top1, lambda value: f"{value:.1%}", "measured"),
        *(
            Column(
                name, "bytes" if METRICS[name].unit is Unit.BYTES else "s", _reader(at), METRICS[name].show, "measured"
            )
            for at, name in enumerate(RUN_METRICS)
        ),
    )
    return tuple(each for each in every if any(each.read(point) is not None for point in sweep.points))


def _reader(at: int) -> Callable[[Point], float | None]:
    return lambda point: point.found(at)


def _bytes(value: float) -> str:
    return f"{value:,.0f}"


def notes(sweep: Sweep) -> tuple[str, ...]:
    """Why figures are missing, and on what the others rest."""
    reasons = [f"{point.value}: {point.note}." for point in sweep.points if point.note]
    reasons += [
        f"{point.value}: {finding.metric.name} is unknown: {finding.reason}."
        for point in sweep.points
        for finding in point.measured
        if isinstance(finding, Unmeasured)
    ]
    if sweep.reference:
        samples = (
            ", on random samples: only real ones show how well a model works (--samples FILE)" if sweep.seeded else ""
        )
        reasons.append(f"{AGREEMENT.name} and {TOP1.name} compare with {sweep.reference}{samples}.")
    if sweep.target:
        reasons.append(f"{' and '.join(RUN_METRICS)} were measured on {sweep.target}.")
    return tuple(each.replace("..", ".") for each in reasons)


def _for_terminal(sweep: Sweep, style: Style) -> str:
    """A table with a row for each model, with what was varied in front."""
    from rich.console import Group
    from rich.text import Text

    from edgecheck.reports import layout
    from edgecheck.reports.terminal import paint

    shown = columns(sweep)
    heading = [Text(clean(sweep.factor), style="bold"), *(Text(each.name, style="bold") for each in shown)]
    rows = [
        [Text(clean(point.value)), *(Text(_words(each, each.read(point))) for each in shown)] for point in sweep.points
    ]
    grid = layout.Grid((layout.Column(), *(layout.Column(justify="right") for _ in shown)), [heading, *rows])
    return paint(Group(grid, *(Text(clean(each), style="dim") for each in notes(sweep))), style)


def _words(column: Column, value: float | None) -> str:
    return "?" if value is None else column.words(value)


def _as_csv(sweep: Sweep, _style: Style) -> str:
    """CSV (RFC 4180) in base units, bytes and seconds: a line for each model, with empty cells for what is unknown."""
    import csv
    import io

    shown = columns(sweep)
    text = io.StringIO()
    writer = csv.writer(text)
    units = [f"{each.name}_{each.unit}" if each.unit else each.name for each in shown]
    writer.writerow([cells.plain(sweep.factor), "model", *units])
    for point in sweep.points:
        figures = [each.read(point) for each in shown]
        value = cells.plain(point.value) if point.number is None else point.value
        writer.writerow([value, cells.plain(point.model), *map(cells.figure, figures)])
    return text.getvalue()


def _as_page(sweep: Sweep, _style: Style) -> str:
    """An HTML page with the look of the other reports: each figure against what was varied, and a table."""
    from edgecheck.reports import pages, plots

    shown = columns(sweep)
    return pages.template("sweep.html").render(
        factor=clean(sweep.factor),
        heading=[(each.name, each.provenance) for each in shown],
        rows=[(clean(point.value), [_words(each, each.read(point)) for each in shown]) for point in sweep.points],
        plots=[plot for each in shown if (plot := _plot(sweep, each)) is not None],
        notes=[clean(each) for each in notes(sweep)],
        canvas=plots,
        look=pages.text("report.css"),
    )


def _plot(sweep: Sweep, column: Column) -> Plot | None:
    """The figure from zero up against the value: to scale for numbers, evenly spaced for words."""
    from edgecheck.reports.plots import BOTTOM, LEFT, RIGHT, TOP, Mark, Plot

    found = [(point, value) for point in sweep.points if (value := column.read(point)) is not None]
    if len(found) < _LEAST:
        return None
    numbers = [point.number for point, _ in found]
    places = [float(at) if None in numbers else float(number or 0.0) for at, number in enumerate(numbers)]
    least, most = min(places), max(places)
    top = max(value for _, value in found) or 1.0
    across = [round(LEFT + (place - least) / ((most - least) or 1.0) * (RIGHT - LEFT), 1) for place in places]
    upward = [round(BOTTOM - value / (1.08 * top) * (BOTTOM - TOP), 1) for _, value in found]
    name = clean(sweep.factor)
    low, high = (min(found, key=lambda each: each[1]), max(found, key=lambda each: each[1]))
    return Plot(
        title=f"{column.name} against {name}",
        summary=f"{column.name} ({column.provenance}) from {column.words(low[1])} at {name} {clean(low[0].value)} to"
        f" {column.words(high[1])} at {name} {clean(high[0].value)}.",
        across=tuple(Mark(at=at, words=clean(point.value)) for at, (point, _) in zip(across, found, strict=True)),
        upward=tuple(
            Mark(at=round(BOTTOM - share / 1.08 * (BOTTOM - TOP), 1), words=column.words(share * top))
            for share in (0.0, 0.5, 1.0)
        ),
        lines=(" ".join(f"{x},{y}" for x, y in zip(across, upward, strict=True)),),
    )


#: Format name -> what renders it. What these import costs time, so they do it themselves.
FORMATS: Mapping[str, Callable[[Sweep, Style], str]] = MappingProxyType(
    {"terminal": _for_terminal, "csv": _as_csv, "html": _as_page}
)


def render_sweep(name: str, sweep: Sweep, style: Style | None = None) -> str:
    """The sweep in the format called `name`.

    Raises:
        KeyError: the format is unknown.
    """
    return FORMATS[name](sweep, style or Style())
