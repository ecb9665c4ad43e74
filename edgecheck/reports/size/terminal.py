"""The anatomy of a model for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgecheck.anatomy.tables import Row
from edgecheck.anatomy.values import Kind
from edgecheck.reports import Style
from edgecheck.reports.layout import listing
from edgecheck.reports.size import Growth, SizeReport, words
from edgecheck.reports.terminal import NARROW, paint

_LOOKS = {"grew": "red", "appeared": "red", "shrank": "green", "vanished": "green"}


def render(report: SizeReport, style: Style) -> str:
    """Rows that sum to the file, what would make it smaller, and what drives its size."""
    parts: list[RenderableType] = [Text(words.title(report), style="bold"), Text()]
    if report.growth is not None:
        parts += [*_grown(report, report.growth), Text()]
    parts += [_rows(report, style.width), Text(words.sum_of_kinds(report), style="dim")]
    if report.measured is None:
        parts.append(Text("The weights were not read: leave out --quick for zeros, gzip and pruning.", style="dim"))
    parts += _section("On the Edge TPU", _lines(words.on_tpu(report)))
    parts += _section("What would make it smaller", _advice(report))
    parts += _section("What drives its size", _lines(map(words.sentence, report.drivers)))
    parts += _section("Equal weights", _lines(words.copies(report.copies)))
    parts += _section("Worth knowing", _lines(words.oddities(report.anatomy)))
    return paint(Group(*parts), style)


def _section(heading: str, content: RenderableType | None) -> list[RenderableType]:
    return [Text(), Text(heading, style="bold"), Padding(content, (0, 0, 0, 2))] if content is not None else []


def _lines(lines: Iterable[str]) -> RenderableType | None:
    found = [Text(line) for line in lines]
    return Group(*found) if found else None


def _advice(report: SizeReport) -> RenderableType | None:
    if not report.advice:
        return None
    table = Table.grid(padding=(0, 2))
    for each in report.advice:
        table.add_row(each.means.value, Text(words.saving(each, report)), Text(words.sentence(each.sentence), "dim"))
    return table


def _rows(report: SizeReport, width: int) -> Table:
    """Every byte, so that a reader can add them up."""
    totals = report.anatomy.totals
    loaded = words.grows_on_loading(report)
    table = listing(("bytes", True), ("share", True), *([("in memory", True)] if loaded else []))
    table.add_column(words.HEADINGS[report.view.by], overflow="fold", min_width=8)
    details = width >= NARROW
    for name in ("type", "shape") if details else ():
        table.add_column(name, overflow="fold")
    if details and report.zeros:
        table.add_column("zeros", justify="right", no_wrap=True)
    for row in words.rows(report):
        cells = [f"{row.stored:,}", words.share(row.stored, report.anatomy.size)]
        cells += [f"{row.memory:,}"] if loaded else []
        look = "" if row.kind is Kind.TENSORS else "dim"
        table.add_row(*cells, Text(words.shown(row.name), look), *(_details(row, report) if details else ()))
    table.add_section()
    table.add_row(
        f"{totals.size:,}", words.share(totals.size, totals.size), *([f"{totals.memory:,}"] if loaded else []), "total"
    )
    return table


def _details(row: Row, report: SizeReport) -> list[str]:
    cells = [words.shown(row.dtype), words.shape(row.shape)]
    if report.zeros:
        zeros = report.zeros.get(row.name) if row.kind is Kind.TENSORS else None
        cells.append("" if zeros is None else words.percent(zeros))
    return cells


def _grown(report: SizeReport, growth: Growth) -> list[RenderableType]:
    table = listing(("change", True), ("", True), ("old", True), ("new", True), ("", False))
    table.add_column(words.HEADINGS[report.view.by], overflow="fold", min_width=8)
    table.add_column("", overflow="fold")
    for line in words.changes(growth, report.view.top):
        delta = line.new - line.old
        table.add_row(
            Text(words.signed(delta), _LOOKS.get(line.status, "")),
            words.relative(line.old, line.new),
            f"{line.old:,}",
            f"{line.new:,}",
            line.status,
            Text(line.name),
            Text(line.detail, "dim"),
        )
    rows: list[RenderableType] = [Text(words.verdict(growth, report), style="bold"), Text()]
    if table.row_count:
        comparison = growth.comparison
        table.add_section()
        table.add_row(words.signed(comparison.delta), "", f"{comparison.old:,}", f"{comparison.new:,}", "", "total")
        rows.append(table)
    if same := words.unchanged(growth):
        rows.append(Text(same, style="dim"))
    return rows
