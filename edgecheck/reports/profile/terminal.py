"""The profile of a model's operators for a terminal: a list of bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from edgecheck.core.operator_changes import Change, OperatorChanges
from edgecheck.core.operator_groups import By, OperatorRow
from edgecheck.core.operators import OperatorProfile
from edgecheck.core.text import clean
from edgecheck.reports import Style
from edgecheck.reports.layout import listing
from edgecheck.reports.profile import ProfileReport, words
from edgecheck.reports.terminal import NARROW, paint

if TYPE_CHECKING:
    from rich.table import Table

#: Columns from which on the table has bytes and rates, and those from which on it has details.
_WIDE, _WIDEST = 90, 125

#: Columns of the longest bar, and the blocks for eighths of a column.
_BAR, _NARROW_BAR = 20, 10
_EIGHTHS = " ▏▎▍▌▋▊▉"

_LOOKS = {Change.GREW.value: "red", Change.APPEARED.value: "red", Change.SHRANK.value: "green", "vanished": "green"}


def render(report: ProfileReport, style: Style) -> str:
    """What grew, if that was asked; then the operators that take most, and what is between them."""
    parts: list[RenderableType] = [
        Text(words.title(report), style="bold"),
        Text(words.how(report), style="dim"),
        Text(words.whole(report.profile)),
        Text(),
    ]
    if report.changes is not None:
        parts += [*_changed(report, report.changes, style.width), Text()]
    parts.append(_rows(report, style.width))
    parts += [Text(note, style="dim") for note in words.notes(report)]
    return paint(Group(*parts), style)


def _rows(report: ProfileReport, width: int) -> Table:
    profile = report.profile
    table = listing((words.figure_heading(profile), True), ("share", True), ("", False))
    table.add_column(words.HEADINGS[report.by], overflow="fold", min_width=16)
    if report.by is By.NODE:
        table.add_column("type", overflow="fold", min_width=8)
    for name in ("MACs", words.rate_heading(profile), "bytes") if width >= _WIDE else ():
        table.add_column(name, justify="right", no_wrap=True)
    if width >= _WIDEST:
        table.add_column("", overflow="fold", min_width=20)
    found, others = words.shown_rows(report)
    longest = max([row.seconds for row in found] or [0.0])
    for row in found:
        table.add_row(*_cells(report, row, row.seconds / longest if longest else 0.0, width))
    if others is not None:
        table.add_row(*_cells(report, others, 0.0, width))
    for last in words.sums(profile):
        if last.name == words.PROFILED:
            table.add_section()
        look = "dim" if last.name.startswith("(") else ""
        table.add_row(_signed(profile, last.seconds), last.share, "", Text(last.name, look))
    return table


def _signed(profile: OperatorProfile, seconds: float) -> str:
    return words.signed(profile, seconds).lstrip("+±")


def _cells(report: ProfileReport, row: OperatorRow, part: float, width: int) -> list[Text | str]:
    profile = report.profile
    cells: list[Text | str] = [
        profile.show(row.seconds),
        words.share(profile, row.seconds),
        Text(_bar(part, _BAR if width >= _WIDEST else _NARROW_BAR), style="red" if row.slow else "cyan"),
        Text(clean(row.name)),
    ]
    if report.by is By.NODE:
        cells.append(Text(clean(row.type), "dim"))
    if width >= _WIDE:
        cells += [words.work(row.macs), words.rate(row), words.moved(row.bytes)]
    if width >= _WIDEST:
        cells.append(Text(words.detail(row), "dim"))
    return cells


def _bar(part: float, columns: int) -> str:
    """A bar that fills `part` of the columns, to an eighth of one."""
    eighths = round(max(0.0, min(1.0, part)) * columns * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(1)


def _changed(report: ProfileReport, found: OperatorChanges, width: int) -> list[RenderableType]:
    table = listing(("change", True), ("old", True), ("new", True), ("", False))
    table.add_column("operator", overflow="fold", min_width=12)
    if width >= NARROW:
        table.add_column("type", overflow="fold")
        table.add_column("", overflow="fold")
    for line in words.changes(report, found):
        cells: list[Text | str] = [
            Text(line.delta, _LOOKS.get(line.change, "")),
            line.old,
            line.new,
            line.change,
            Text(line.name),
        ]
        table.add_row(*cells, *([Text(line.type, "dim"), Text(line.detail, "dim")] if width >= NARROW else []))
    parts: list[RenderableType] = [Text(words.verdict(report, found), style="bold"), Text(), table]
    if same := words.unchanged(found):
        parts.append(Text(same, style="dim"))
    return parts
