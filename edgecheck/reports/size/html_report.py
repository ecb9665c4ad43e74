"""The anatomy of a model as one HTML file that needs no network: a treemap, a table, and the advice."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from operator import attrgetter
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from edgecheck.anatomy.tables import By, Row
from edgecheck.anatomy.values import Kind
from edgecheck.reports.size import words
from edgecheck.reports.size.plotly_script import script, trusted
from edgecheck.reports.size.treemap import GROUPS, Treemap, columns, treemap

if TYPE_CHECKING:
    from edgecheck.reports import Style
    from edgecheck.reports.size.report import SizeReport

MOST_CHANGES = 200
MOST_ROWS = 5000
"""Rows of the table; the rest is summed up, so that a browser can hold the page."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of the table, in words and in numbers to sort by."""

    name: str
    stored: int
    share: str
    memory: int
    params: int
    dtype: str
    shape: str
    zeros: float | None
    tile: int | None
    """Its tile in the treemap, where it has one."""
    is_tensor: bool


def render(report: SizeReport, style: Style) -> str:
    """The page.

    Raises:
        UsageError: plotly is not installed.
    """
    del style
    environment = Environment(
        loader=PackageLoader("edgecheck.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    plotly, behaviour, drawn = script(), _template("size.js"), treemap(report.anatomy)
    return environment.get_template("size.html").render(
        words=words,
        report=report,
        anatomy=report.anatomy,
        growth=report.growth,
        changes=words.changes(report.growth, min(report.view.top or MOST_CHANGES, MOST_CHANGES))
        if report.growth
        else [],
        kinds=_kinds(report),
        lines=_lines(report, drawn),
        data={"tiles": columns(drawn.tiles), "groups": dict(GROUPS)},
        groups={key: name for key, name in GROUPS.items() if any(tile.group == key for tile in drawn.tiles)},
        look=_template("size.css"),
        behaviour=behaviour,
        plotly=plotly,
        policy=f"default-src 'none'; script-src {trusted(behaviour)} {plotly.trust}; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
    )


def _template(name: str) -> str:
    return (resources.files("edgecheck.reports") / "templates" / name).read_text(encoding="utf-8")


def _kinds(report: SizeReport) -> list[tuple[str, int, str]]:
    """Kind, bytes and share of what there is."""
    totals = report.anatomy.totals
    sizes = [(kind.value, getattr(totals, kind.value)) for kind in Kind]
    return [(name, size, words.share(size, totals.size)) for name, size in sizes if size]


def _lines(report: SizeReport, drawn: Treemap) -> list[_Line]:
    rows = report.rows[:MOST_ROWS]
    places = drawn.places if report.view.by in (By.LAYER, By.PREFIX) else {}
    lines = [_line(row, report, places.get(row.name) if row.name else None) for row in rows]
    if rest := report.rows[MOST_ROWS:]:
        stored, memory, params = (sum(map(attrgetter(of), rest)) for of in ("stored", "memory", "params"))
        others = Row(
            name=f"({len(rest):,} others)",
            kind=Kind.TENSORS,
            stored=stored,
            memory=memory,
            params=params,
            tensors=len(rest),
        )
        lines.append(_line(others, report, None))
    return lines


def _line(row: Row, report: SizeReport, tile: int | None) -> _Line:
    return _Line(
        name=words.shown(row.name),
        stored=row.stored,
        share=words.share(row.stored, report.anatomy.size),
        memory=row.memory,
        params=row.params,
        dtype=words.shown(row.dtype),
        shape=words.shape(row.shape),
        zeros=(report.zeros or {}).get(row.name) if row.kind is Kind.TENSORS else None,
        tile=tile if row.kind is Kind.TENSORS else None,
        is_tensor=row.kind is Kind.TENSORS,
    )
