"""Results over time as one HTML page: a plot for each metric, with its limit and its steps; no script, no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edgecheck.core.creep import Trend
from edgecheck.core.history import Moment, is_exact
from edgecheck.reports import pages, plots
from edgecheck.reports.history import extent, outlook, short, step_words, subject
from edgecheck.reports.plots import BOTTOM, LEFT, RIGHT, TOP, Mark, Plot
from edgecheck.reports.wording import clean

#: Points of a line, and series with a plot: more would not be seen. Every series has its row.
_POINTS, _DRAWN = 400, 100

#: A limit is drawn if it is at most this many times as high as the highest figure.
_NEAR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A series in the table."""

    subject: str
    metric: str
    first: str
    last: str
    limit: str
    extent: str
    outlook: str
    steps: tuple[str, ...]
    plot: Plot | None
    anchor: str


def render(trends: tuple[Trend, ...]) -> str:
    """The page: the series that creep to their limit first, then those with steps, then the others."""
    ordered = sorted(trends, key=lambda trend: (trend.creep is None, not trend.steps))
    rows = [_row(trend, at) for at, trend in enumerate(ordered, start=1)]
    return pages.template("history.html").render(rows=rows, canvas=plots, look=pages.text("report.css"))


def _row(trend: Trend, number: int) -> _Row:
    show, every = trend.series.show, trend.moments
    limit = every[-1].limit
    days = f"{every[0].at[:10]} to {every[-1].at[:10]}" if len(every) > 1 else every[0].at[:10]
    return _Row(
        subject=subject(trend.series.key),
        metric=clean(trend.series.key.metric),
        first=show(every[0].value),
        last=show(every[-1].value),
        limit="" if limit is None else show(limit),
        extent=f"{len(every):,} commit{'s' if len(every) != 1 else ''}, {days}, {clean(trend.series.key.provenance)}",
        outlook=outlook(trend),
        steps=tuple(step_words(trend, step) for step in trend.steps),
        plot=_plot(trend) if number <= _DRAWN and len(every) > 1 else None,
        anchor=f"series-{number}",
    )


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _plot(trend: Trend) -> Plot:
    """The medians of the commits against time, from zero up, with the limit as a line and a mark at each step."""
    every, show = trend.moments, trend.series.show
    highest = max(moment.value for moment in every)
    limit = every[-1].limit
    near = limit is not None and 0 < limit <= _NEAR * max(highest, 0.0)
    top = max(highest, limit if near and limit is not None else 0.0) * 1.08 or 1.0
    start, end = _seconds(every[0].at), _seconds(every[-1].at)

    def across(at: str) -> float:
        return round(LEFT + (_seconds(at) - start) / ((end - start) or 1.0) * (RIGHT - LEFT), 1)

    def upward(value: float) -> float:
        return round(BOTTOM - value / top * (BOTTOM - TOP), 1)

    name = clean(trend.series.key.metric)
    word = "step" if is_exact(trend.series.key) else "change"
    return Plot(
        title=name,
        summary=f"{name} ({clean(trend.series.key.provenance)}) from {show(every[0].value)} to {show(every[-1].value)}"
        f" over {extent(trend)}; {len(trend.steps):,} {word}{'s' if len(trend.steps) != 1 else ''}.",
        across=(
            Mark(at=LEFT, words=every[0].at[:10], anchor="start"),
            Mark(at=RIGHT, words=every[-1].at[:10], anchor="end"),
        ),
        upward=tuple(Mark(at=upward(share * top / 1.08), words=show(share * top / 1.08)) for share in (0.0, 0.5, 1.0)),
        lines=(" ".join(f"{across(one.at)},{upward(one.value)}" for one in _thinned(every)),),
        upright=tuple(
            Mark(at=across(step.at), words=short(step.commit) if step.commit else step.at[:10], kind="phase")
            for step in trend.steps[-6:]
        ),
        level=(Mark(at=upward(limit), words=f"limit {show(limit)}", kind="error"),) if near and limit else (),
        heading=("date", "commit", name, "results"),
        rows=tuple((one.at[:10], short(one.commit), show(one.value), f"{one.count:,}") for one in every[-50:]),
    )


def _thinned(every: tuple[Moment, ...]) -> list[Moment]:
    """The highest of every few neighbours, if there are more than can be seen."""
    step = -(-len(every) // _POINTS)
    return [max(every[at : at + step], key=lambda one: one.value) for at in range(0, len(every), step)]
