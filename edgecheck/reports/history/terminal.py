"""Results over time for a terminal: a spark line for each metric, its steps, and its outlook."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from edgecheck.core.creep import Trend
from edgecheck.core.history import is_exact, is_worse, shown_change
from edgecheck.core.metrics import METRICS
from edgecheck.reports import Style
from edgecheck.reports.history import extent, outlook, spark, step_words, subject
from edgecheck.reports.layout import Column, Grid, indented
from edgecheck.reports.terminal import paint
from edgecheck.reports.wording import clean

#: Characters of a spark line, and of one in a narrow terminal; and what is narrow.
_WIDE, _SHORT, _NARROW = 24, 10, 80

#: Steps that are named for each metric: the last ones.
_STEPS = 5


def render(trends: tuple[Trend, ...], style: Style) -> str:
    """The metrics of each model, variant and device together."""
    parts: list[RenderableType] = []
    for about, group in groupby(trends, key=lambda trend: subject(trend.series.key)):
        parts += [Text(about, style="bold"), *_metrics(list(group), style.width), Text()]
    parts = parts[:-1] or [Text("The history has no results of these.")]
    return paint(Group(*parts), style)


def _metrics(trends: list[Trend], width: int) -> Iterator[RenderableType]:
    wide = _SHORT if width < _NARROW else _WIDE
    long = Grid(_COLUMNS, [_row(trend, wide) for trend in trends])
    short = Grid(_COLUMNS[:-1], [row[:-1] for row in long.rows])
    grid = next((each for each in (long, short) if each.lines(width - 2) is not None), None)
    if grid is not None:
        yield indented(grid)
    else:
        yield from (indented(Text(_in_words(trend, wide))) for trend in trends)
    for trend in trends:
        yield from (indented(line) for line in _events(trend))


_COLUMNS = tuple(Column(justify, wraps=False) for justify in ("left", "left", "right", "left", "right", "left", "left"))


def _row(trend: Trend, wide: int) -> tuple[Text, ...]:
    show, last = trend.series.show, trend.moments[-1]
    return (
        Text(clean(trend.series.key.metric)),
        Text(spark([moment.value for moment in trend.moments], wide)),
        Text(show(last.value)),
        Text(_bound(trend)),
        Text(_change(trend)),
        Text(clean(trend.series.key.provenance), style="dim"),
        Text(_extent(trend), style="dim"),
    )


def _in_words(trend: Trend, wide: int) -> str:
    return "  ".join(part for part in (cell.plain for cell in _row(trend, wide)) if part)


def _bound(trend: Trend) -> str:
    limit, metric = trend.moments[-1].limit, METRICS.get(trend.series.key.metric)
    sign = "≤" if is_worse(metric, 0.0, 1.0) else "≥"
    return "" if limit is None else f"{sign} {trend.series.show(limit)}"


def _change(trend: Trend) -> str:
    first, last = trend.moments[0].value, trend.moments[-1].value
    return "" if first == last else shown_change(first, last)


def _extent(trend: Trend) -> str:
    return f"{extent(trend)} {'since' if len(trend.moments) > 1 else 'on'} {trend.moments[0].at[:10]}"


def _events(trend: Trend) -> Iterator[Text]:
    name = clean(trend.series.key.metric)
    word = "step" if is_exact(trend.series.key) else "change"
    left = len(trend.steps) - _STEPS
    if left > 0:
        yield Text(f"{name}: {left:,} earlier {word}{'s' if left > 1 else ''}; --format html shows all", style="dim")
    metric = METRICS.get(trend.series.key.metric)
    for step in trend.steps[-_STEPS:]:
        look = "yellow" if is_worse(metric, step.before, step.after) else "green"
        yield Text.assemble((f"{name} {word} ", look), step_words(trend, step))
    if words := outlook(trend):
        yield Text(f"{name}: {words}", style="bold yellow")
