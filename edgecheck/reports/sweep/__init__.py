"""Reports of `edgecheck sweep`: the columns that all of them show, and the table of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from edgecheck.core.finding import Unmeasured
from edgecheck.core.metrics import AGREEMENT, METRICS, TOP1
from edgecheck.core.sweep import RUN_METRICS, Point, Sweep
from edgecheck.core.units import Unit, show
from edgecheck.reports import Style, rendered


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


#: Format name -> module with `render(sweep: Sweep) -> str`; the terminal's takes a `Style` too.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.sweep.terminal",
        "csv": "edgecheck.reports.sweep.csv_table",
        "html": "edgecheck.reports.sweep.page",
    }
)


def render_sweep(name: str, sweep: Sweep, style: Style | None = None) -> str:
    """The sweep in the format called `name`.

    Raises:
        KeyError: the format is unknown.
    """
    return rendered(FORMATS, name, sweep, style)
