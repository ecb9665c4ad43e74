"""The plots of the HTML report, as coordinates: memory over time, latencies, and the interval of a projection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edgecheck.core import statistics
from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import LATENCY_P50, LOAD_TIME, METRICS, RAM_PEAK, Metric, Provenance
from edgecheck.core.report import CheckResult
from edgecheck.core.run import Purpose, WorkerRun

#: The canvas, and the area inside the axes.
WIDTH, HEIGHT = 640, 244
LEFT, RIGHT, TOP, BOTTOM = 76, 612, 50, 210

#: Words above the plot: pixels per character, at least; the height of a row of them; and how many rows.
_CHARACTER, ROW, _ROWS = 6.2, 12, 4

#: Points of a line, bars, and ticks of an axis, at most: more would not be seen.
_POINTS, _BARS, _TICKS = 300, 48, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A tick of an axis, or a line across the plot, with its words."""

    at: float
    words: str
    kind: str = ""
    """`error`, `warn`, `phase` or `figure`; empty for a tick."""
    row: int = 0
    """The row of its words above the plot; 0 is the lowest."""
    anchor: str = "middle"
    """The part of its words that is at the mark: `start`, `middle` or `end`."""
    key: str = ""
    """What it is about, the same wherever the check shows it: a metric or a phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot and the table of its figures."""

    title: str
    summary: str
    across: tuple[Mark, ...]
    """Ticks of the horizontal axis."""
    upward: tuple[Mark, ...] = ()
    """Ticks of the vertical axis."""
    lines: tuple[str, ...] = ()
    """Each as `x,y x,y`."""
    bars: tuple[Bar, ...] = ()
    upright: tuple[Mark, ...] = ()
    """Vertical lines."""
    level: tuple[Mark, ...] = ()
    """Horizontal lines."""
    heading: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    keys: tuple[str, ...] = ()
    """What each row is about, as `Mark.key`; empty where no mark is about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Maps values from `least` to `most` to coordinates from `start` to `end`."""

    least: float
    most: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.most - self.least or 1.0
        return round(self.start + (value - self.least) / span * (self.end - self.start), 1)


def plots(result: CheckResult) -> tuple[Plot, ...]:
    """The plots for which the check has data."""
    found = (_memory(result), _latencies(result), _projection(result))
    return tuple(plot for plot in found if plot is not None)


def _across(least: float, most: float) -> _Scale:
    return _Scale(least=least, most=most, start=LEFT, end=RIGHT)


def _limit_line(limit: Mark, scale: _Scale) -> Mark:
    """A limit at its place on an axis instead of at its value."""
    return replace(limit, at=scale(limit.at))


def _memory(result: CheckResult) -> Plot | None:
    workers = result.run.memory_workers if result.run is not None else ()
    lines = [(worker, points) for worker in workers if len(points := _readings(worker)) > 1]
    if not lines:
        return None
    show, limits = RAM_PEAK.show, _limits(result, RAM_PEAK)
    highest = max(rss for _, points in lines for _, rss in points)
    across = _across(0.0, max(at for _, points in lines for at, _ in points))
    # A limit far above would flatten the line: only the summary names it.
    near = [limit for limit in limits if limit.at <= 3 * highest]
    top = max([highest, *(limit.at for limit in near)]) * 1.08
    upward = _Scale(least=0.0, most=top, start=BOTTOM, end=TOP)
    first = lines[0][0]
    return Plot(
        title="Memory over time",
        summary=f"Resident memory of {_many(len(lines), 'process', 'processes')}: at most {show(highest)}"
        + "".join(f"; {limit.words}" for limit in limits)
        + ". "
        + ", ".join(f"{number} {mark.phase.value.replace('-', ' ')}" for number, mark in enumerate(first.marks, 1))
        + ".",
        across=_ticks(across, LOAD_TIME.show),
        upward=_ticks(upward, show, base=2),
        lines=tuple(_line(points, across, upward) for _, points in lines),
        upright=_in_rows(
            Mark(at=across(mark.at), words=str(number), kind="phase", key=f"phase {mark.phase.value}")
            for number, mark in enumerate(first.marks, 1)
        ),
        level=tuple(_limit_line(limit, upward) for limit in near),
        heading=("", "phase", "since start", "resident", "highest so far"),
        rows=tuple(
            (
                str(number),
                mark.phase.value.replace("-", " "),
                LOAD_TIME.show(mark.at),
                show(mark.rss) if mark.rss is not None else "",
                show(mark.peak_rss) if mark.peak_rss is not None else "",
            )
            for number, mark in enumerate(first.marks, 1)
        ),
        keys=tuple(f"phase {mark.phase.value}" for mark in first.marks),
    )


def _readings(worker: WorkerRun) -> list[tuple[float, int]]:
    """Time and resident memory, as the worker and the sampler read it, in order of time."""
    by_worker = [(mark.at, mark.rss) for mark in worker.marks if mark.rss is not None]
    return sorted([*by_worker, *worker.samples])


def _line(points: Sequence[tuple[float, int]], across: _Scale, upward: _Scale) -> str:
    """The highest of every few neighbours, if there are more than can be seen."""
    every = math.ceil(len(points) / _POINTS)
    shown = [max(points[at : at + every], key=lambda point: point[1]) for at in range(0, len(points), every)]
    return " ".join(f"{across(at):g},{upward(rss):g}" for at, rss in shown)


def _latencies(result: CheckResult) -> Plot | None:
    workers = result.run.of(Purpose.LATENCY) if result.run is not None else ()
    latencies = workers[-1].latencies if workers else ()
    if len(latencies) < _TICKS:
        return None
    show = LATENCY_P50.show
    limits = [each for metric in METRICS.values() if metric.quantile is not None for each in _limits(result, metric)]
    # The slowest few, and limits far away, would squeeze the rest into one bar: only the summary names them.
    least, most = min(latencies), statistics.percentile(latencies, 0.9) * 1.5
    near = [limit for limit in limits if least / 2 <= limit.at <= 2 * most]
    bounds = [limit.at for limit in near]
    across = _across(min([least, *bounds]) * 0.95, max([most, *bounds]))
    shares = [(f"p{round(q * 100)}", statistics.percentile(latencies, q)) for q in (0.5, 0.9, 0.99)]
    upright = [
        Mark(at=across(value), words=name, kind="figure", key=f"latency_{name}")
        for name, value in shares
        if value <= across.most
    ]
    upright += [_limit_line(limit, across) for limit in near]
    beyond = sum(value > across.most for value in latencies)
    return Plot(
        title="Latencies of steady inferences",
        summary=f"{len(latencies):,} inferences from {show(least)} to {show(max(latencies))}: "
        + ", ".join(f"{name} {show(value)}" for name, value in shares)
        + "".join(f"; {limit.words}" for limit in limits)
        + (f"; {_many(beyond, 'slower one is', 'slower ones are')} not drawn" if beyond else "")
        + ".",
        across=_ticks(across, show),
        bars=_histogram(latencies, across),
        upright=_in_rows(upright),
        heading=("figure", "latency"),
        rows=(
            ("fastest", show(least)),
            *((name, show(value)) for name, value in shares),
            ("slowest", show(max(latencies))),
        ),
        keys=("", *(f"latency_{name}" for name, _ in shares), ""),
    )


def _histogram(values: Iterable[float], across: _Scale) -> tuple[Bar, ...]:
    counts = [0] * _BARS
    width = (RIGHT - LEFT) / _BARS
    for value in values:
        at = int((across(value) - LEFT) / width)
        if 0 <= at < _BARS:
            counts[at] += 1
    tall = _Scale(least=0.0, most=max(counts), start=0.0, end=BOTTOM - TOP - 20)
    return tuple(
        Bar(
            x=round(LEFT + at * width, 1),
            y=round(BOTTOM - tall(count), 1),
            width=round(width - 1, 1),
            height=tall(count),
        )
        for at, count in enumerate(counts)
        if count
    )


def _projection(result: CheckResult) -> Plot | None:
    finding = (result.findings or {}).get(LATENCY_P50.name)
    if not isinstance(finding, Measurement) or finding.provenance is not Provenance.PROJECTED:
        return None
    if finding.low is None or finding.high is None:
        return None
    show, limits = finding.metric.show, _limits(result, LATENCY_P50)
    near = [limit for limit in limits if finding.low / 3 <= limit.at <= finding.high * 3]
    places = [finding.low, finding.high, *(limit.at for limit in near)]
    across = _across(min(places) * 0.9, max(places) * 1.1)
    low, high = across(finding.low), across(finding.high)
    return Plot(
        title="Projected latency on the device",
        summary=f"About {show(finding.value)}; nine in ten between {show(finding.low)} and {show(finding.high)}"
        + "".join(f"; {limit.words}" for limit in limits)
        + f". From {finding.basis}.",
        across=_ticks(across, show),
        bars=(Bar(x=low, y=(TOP + BOTTOM) / 2 - 14, width=round(high - low, 1), height=28),),
        upright=_in_rows(
            [
                Mark(at=across(finding.value), words="estimate", kind="figure", key=LATENCY_P50.name),
                *(_limit_line(limit, across) for limit in near),
            ]
        ),
        heading=("figure", "latency"),
        rows=(("low end", show(finding.low)), ("estimate", show(finding.value)), ("high end", show(finding.high))),
        keys=("", LATENCY_P50.name, ""),
    )


def _limits(result: CheckResult, metric: Metric) -> list[Mark]:
    """Both bounds of every limit on the metric, with their values as `at`."""
    return [
        Mark(
            at=bound,
            words=f"{metric.name} {'warning' if kind == 'warn' else 'limit'} {metric.show(bound)}",
            kind=kind,
            key=metric.name,
        )
        for verdict in result.verdicts
        if verdict.metric == metric
        for kind, bound in (("error", verdict.limit.error), ("warn", verdict.limit.warn))
        if bound is not None
    ]


def _ticks(scale: _Scale, show: Callable[[float], str], base: int = 10) -> tuple[Mark, ...]:
    """Round values on the axis: steps of 1, 2 or 5, or of powers of two for memory."""
    rough = (scale.most - scale.least or 1.0) / _TICKS
    if base == 2:  # noqa: PLR2004 - the base itself
        step = 2.0 ** math.ceil(math.log2(rough))
    else:
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    first, last = math.ceil(scale.least / step), math.floor(scale.most / step)
    return tuple(Mark(at=scale(at * step), words=show(at * step)) for at in range(first, last + 1))


def _in_rows(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The marks with their words in rows, so that they do not overlap as long as there are rows."""
    ends = [0.0] * _ROWS
    placed = []
    for mark in sorted(marks, key=lambda mark: mark.at):
        width = _CHARACTER * len(mark.words)
        half = width / 2
        anchor = "start" if mark.at - half < 0 else "end" if mark.at + half > WIDTH else "middle"
        start = mark.at - {"start": 0.0, "middle": half, "end": width}[anchor]
        row = next((row for row, end in enumerate(ends) if end <= start), _ROWS - 1)
        ends[row] = start + width + _CHARACTER
        placed.append(replace(mark, row=row, anchor=anchor))
    return tuple(placed)


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
