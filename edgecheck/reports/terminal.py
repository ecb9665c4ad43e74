"""The report of `edgecheck check` for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.text import Text

from edgecheck.core.metrics import METRICS, SIZE, Family
from edgecheck.core.report import CheckResult, Part, Report, WayOut
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports import Style, wording
from edgecheck.reports.layout import Column, Grid, indented, plain_lines

_LOOK = {
    Status.PASS: ("✔ pass", "green"),
    Status.WARN: ("! warn", "yellow"),
    Status.UNKNOWN: ("? unknown", "magenta"),
    Status.FAIL: ("✘ fail", "bold red"),
}

#: Below this many columns, the source of a limit is left out.
NARROW = 90


def render(report: Report, style: Style) -> str:
    """For each check a line per limit, then caveats; at the end one sentence and the next step."""
    parts: list[RenderableType] = []
    for result in report.results:
        parts += [check(result, style.width, is_only=len(report.results) == 1), Text()]
    parts.append(closing(report))
    return paint(Group(*parts), style)


def paint(content: RenderableType, style: Style) -> str:
    """`content` as text of the style's width, in colour if the style has it."""
    sink = StringIO()
    console = Console(
        file=sink,
        width=style.width,
        height=25,  # with a width alone rich takes 80 columns for what TERM calls dumb
        force_terminal=style.color,
        color_system="standard" if style.color else None,
        no_color=not style.color,
        highlight=False,
        legacy_windows=False,
    )
    for part in [content] if style.color else plain_lines(content, style.width):
        if isinstance(part, str):
            sink.write(f"{part}\n")
        else:
            console.print(part)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def check(result: CheckResult, width: int, *, is_only: bool = False) -> RenderableType:
    """One check: title, limits, figures without a limit, and caveats.

    Args:
        result: The check.
        width: Columns.
        is_only: Whether it is the report's only one. Then its hint is the report's next step, and stands only there.
    """
    title = wording.title(result)
    # A line that begins with two colons is a command to the runner of GitHub Actions.
    rows: list[RenderableType] = [Text(f" {title}" if title.startswith("::") else title, style="bold")]
    if details := wording.details(result):
        rows.append(indented(Text(details, style="dim")))
    rows += [indented(Text(f"auto  {words}", style="dim")) for words in wording.not_chosen(result)]
    if result.artifact is not None:
        rows += [indented(Text(wording.clean(note), style="dim")) for note in result.artifact.notes]
    if result.problem:
        hint = "" if is_only and result.status is Status.UNKNOWN else result.hint
        rows.append(indented(Text(wording.clean(f"{result.problem} {hint}".strip()), style="red")))
    rows.append(indented(_verdicts(result.verdicts, narrow=width < NARROW)))
    if span := wording.time_spoken_for(result):
        rows.append(indented(Text(span, style="dim")))
    rows += [
        indented(Text.assemble((f"{wording.clean(verdict.metric.name)}: ", "bold"), reason))
        for verdict in result.verdicts
        if (reason := wording.reason(verdict)) and reason != wording.clean(result.problem)
    ]
    rows += [indented(part) for each in result.ways_out for part in _way_out(each)]
    rows += [indented(Text.assemble((f"{name}  ", "dim"), (words, "dim"))) for name, words in wording.intervals(result)]
    if figures := wording.not_limited(result):
        rows.append(indented(Text(f"not limited  {figures}", style="dim")))
    rows += [
        indented(
            Text.assemble(
                (wording.clean(f"{caveat.code}: "), "yellow"), wording.clean(f"{caveat.message} {caveat.advice}")
            )
        )
        for caveat in result.caveats
    ]
    return Group(*rows)


_LIMIT_COLUMNS = (
    *(Column(justify, wraps=False) for justify in ("left", "left", "right", "left", "right")),
    Column(),
)


def _verdicts(verdicts: tuple[Verdict, ...], *, narrow: bool) -> Grid:
    return Grid(_LIMIT_COLUMNS, [_row(verdict, narrow=narrow) for verdict in verdicts])


def _row(verdict: Verdict, *, narrow: bool) -> tuple[Text, ...]:
    word, look = _LOOK[verdict.status]
    found, bound = wording.found_and_bound(verdict)
    source = "" if narrow else wording.source(verdict)
    origin = "  ".join(part for part in (f"{wording.provenance(verdict):9}", source) if part)
    return (
        Text(word + (" (ignored)" if verdict.ignored else ""), style=look),
        Text(wording.clean(verdict.metric.name)),
        Text(found),
        Text(bound),
        Text(wording.margin(verdict)),
        Text(origin, style="dim"),
    )


def _way_out(found: WayOut) -> Iterator[RenderableType]:
    """Where the bytes or the time are, and what would save some, a line for each part."""
    yield Text(_heading(found), style="dim")
    if found.parts:
        yield _parts(found.parts, found.metrics[0])
    if found.savings:
        yield Text("what would help", style="dim")
        yield _parts(found.savings, found.metrics[0])
    for note in found.notes:
        yield Text(wording.clean(note), style="dim")


def _heading(found: WayOut) -> str:
    """What the parts are."""
    of = wording.clean(" and ".join(found.metrics))
    metric = METRICS.get(found.metrics[0])
    if metric is not None and metric.family in (Family.LATENCY, Family.COUNT):
        return f"which operators take most of {of}"
    return f"where the bytes of {of} are"


_PART_COLUMNS = (Column("right", wraps=False), Column(least=8), Column(style="dim"))


def _parts(parts: tuple[Part, ...], metric: str) -> RenderableType:
    """Sizes in the units of the metric that they explain."""
    show = METRICS.get(metric, SIZE).show
    rows = [(Text(show(part.size)), Text(wording.clean(part.name)), Text(wording.clean(part.words))) for part in parts]
    return indented(Grid(_PART_COLUMNS, rows))


def closing(report: Report) -> RenderableType:
    """The last lines: the result, and what to do next."""
    _, look = _LOOK[report.status]
    lines = [Text(wording.sentence(report), style=look)]
    if step := wording.next_step(report):
        lines.append(Text(step))
    return Group(*lines)
