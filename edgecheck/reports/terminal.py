"""The report for a person at a terminal."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgecheck.core.verdict import Status
from edgecheck.reports import wording
from edgecheck.reports.way_out_lines import way_out

if TYPE_CHECKING:
    from edgecheck.core.report import CheckResult, Report
    from edgecheck.core.verdict import Verdict
    from edgecheck.reports import Style

_LOOK = {
    Status.PASS: ("✔ pass", "green"),
    Status.WARN: ("! warn", "yellow"),
    Status.UNKNOWN: ("? unknown", "magenta"),
    Status.FAIL: ("✘ fail", "bold red"),
}

#: Narrower than this, the columns that say where a limit comes from make way.
NARROW = 90


def render(report: Report, style: Style) -> str:
    """Per check a line per limit, then caveats; at the end one sentence and the next step."""
    parts: list[RenderableType] = []
    for result in report.results:
        parts += [check(result, style.width), Text()]
    parts.append(closing(report))
    return paint(Group(*parts), style)


def paint(content: RenderableType, style: Style) -> str:
    """`content` as text of the style's width, with colours only where it has them."""
    sink = StringIO()
    console = Console(
        file=sink,
        width=style.width,
        force_terminal=style.color,
        color_system="standard" if style.color else None,
        no_color=not style.color,
        highlight=False,
        legacy_windows=False,
    )
    console.print(content)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def check(result: CheckResult, width: int) -> RenderableType:
    """One check: its title, its limits, what else was seen, and its doubts."""
    title = wording.title(result)
    # A line that begins with two colons is a command to the runner of GitHub Actions.
    rows: list[RenderableType] = [Text(f" {title}" if title.startswith("::") else title, style="bold")]
    if details := wording.details(result):
        rows.append(_indented(Text(details, style="dim")))
    if result.artifact is not None:
        rows += [_indented(Text(wording.clean(note), style="dim")) for note in result.artifact.notes]
    if result.problem:
        rows.append(_indented(Text(wording.clean(f"{result.problem} {result.hint}".strip()), style="red")))
    rows.append(_indented(_verdicts(result.verdicts, narrow=width < NARROW)))
    rows += [
        _indented(Text.assemble((f"{verdict.metric.name}: ", "bold"), reason))
        for verdict in result.verdicts
        if (reason := wording.reason(verdict)) and reason != wording.clean(result.problem)
    ]
    rows += [_indented(part) for each in result.ways_out for part in way_out(each)]
    rows += [
        _indented(Text.assemble((f"{name}  ", "dim"), (words, "dim"))) for name, words in wording.intervals(result)
    ]
    if seen := wording.also_seen(result):
        rows.append(_indented(Text(f"also seen  {seen}", style="dim")))
    rows += [
        _indented(Text.assemble((f"{caveat.code}: ", "yellow"), wording.clean(f"{caveat.message} {caveat.advice}")))
        for caveat in result.caveats
    ]
    return Group(*rows)


def _verdicts(verdicts: tuple[Verdict, ...], *, narrow: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "right", "left", "right"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_column()
    for verdict in verdicts:
        word, look = _LOOK[verdict.status]
        found, bound = wording.found_and_bound(verdict)
        origin = wording.provenance(verdict)
        source = "" if narrow else wording.source(verdict)
        table.add_row(
            Text(word + (" (ignored)" if verdict.ignored else ""), style=look),
            verdict.metric.name,
            found,
            bound,
            wording.margin(verdict),
            Text("  ".join(part for part in (f"{origin:9}", source) if part), style="dim"),
        )
    return table


def closing(report: Report) -> RenderableType:
    """The last lines: the answer, and what to do next."""
    _, look = _LOOK[report.status]
    lines = [Text(wording.sentence(report), style=look)]
    if step := wording.next_step(report):
        lines.append(Text(step))
    return Group(*lines)


def _indented(content: RenderableType) -> Padding:
    return Padding(content, (0, 0, 0, 2))
