"""A sweep as one HTML page: a plot and a table, with the look of the other reports; no script, no network."""

from __future__ import annotations

from edgecheck.core.sweep import Sweep
from edgecheck.reports import pages, plots
from edgecheck.reports.plots import BOTTOM, LEFT, RIGHT, TOP, Mark, Plot
from edgecheck.reports.sweep import Column, columns, notes
from edgecheck.reports.wording import clean

#: A line needs two points.
_LEAST = 2


def render(sweep: Sweep) -> str:
    """The page: each figure against what was varied."""
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


def _words(column: Column, value: float | None) -> str:
    return "?" if value is None else column.words(value)


def _plot(sweep: Sweep, column: Column) -> Plot | None:
    """The figure from zero up against the value: to scale for numbers, evenly spaced for words."""
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
