"""The report of `edgecheck check` for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.text import Text

from edgecheck.core.metrics import METRICS, SIZE, Family
from edgecheck.core.rack import rack_of
from edgecheck.core.report import WOULD_HOLD, CheckResult, Part, Report, WayOut
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports import Style, rack, wording
from edgecheck.reports.brief import OF_THE_REPORT, brief, fits, ranking
from edgecheck.reports.layout import Column, Grid, indented, plain_lines
from edgecheck.reports.matrix import matrix
from edgecheck.reports.matrix_text import matrix_text

_LOOK = {
    Status.PASS: ("✔ pass", "green"),
    Status.WARN: ("! warn", "yellow"),
    Status.UNKNOWN: ("? unknown", "magenta"),
    Status.FAIL: ("✘ fail", "bold red"),
}

#: The style of each status, by its name.
LOOKS = {status.value: look for status, (_, look) in _LOOK.items()}

#: Below this many columns, the source of a limit is left out.
NARROW = 90

#: Columns before what belongs to a check, and those that a provenance takes, with the gap before it.
_INDENT, _ORIGIN = 2, 11


@dataclass(frozen=True, slots=True)
class Told:
    """What a report has already said, so that it says it once."""

    shown: set[object] = field(default_factory=set)

    def is_new(self, *what: object) -> bool:
        """Whether this is said for the first time; from now on it is not."""
        is_new = what not in self.shown
        self.shown.add(what)
        return is_new


def render(report: Report, style: Style) -> str:
    """First what passes, a line for each check; then the others in full, the matrix, one sentence and the next step."""
    told, is_only = Told(), len(report.results) == 1
    first = [passing(one, style, told) for one in report.results if comes_at_once(one, style, is_only=is_only)]
    return "".join(first) + the_rest(report, style, told)


def comes_at_once(result: CheckResult, style: Style, *, is_only: bool) -> bool:
    """Whether a result is printed as soon as it is there: one of several that pass. The others come with the answer.

    In a ranking, all come with the answer.
    """
    return result.status is Status.PASS and not (style.ranked or style.quiet or is_only)


def passing(result: CheckResult, style: Style, told: Told) -> str:
    """A check that passes, as one of several: a line, or in full where the style asks for that."""
    if not style.verbose:
        return paint(brief(result, style.width), style)
    return paint(check(result, style.width, told=told), style) + "\n"


def the_rest(report: Report, style: Style, told: Told) -> str:
    """Everything after the checks that pass: the others in full, the worst last, the matrix, and the answer."""
    if style.ranked and not style.verbose:
        explained = [indented(part) for one in report.results for part in _ways_out(one, told, again=False)]
        return paint(Group(ranking(report, style, LOOKS), *explained, Text(), *fits(report), closing(report)), style)
    is_only = len(report.results) == 1
    had_lines = any(comes_at_once(one, style, is_only=is_only) for one in report.results) and not style.verbose
    parts: list[RenderableType] = [Text()] if had_lines else []
    for result in _worst_last(report, style):
        parts += [check(result, style.width, is_only=is_only, told=told), Text()]
    table = None if style.quiet else matrix(report)
    if table is not None:
        parts += [matrix_text(table, style.width, LOOKS), Text()]
    parts += _rack(report, style)
    return paint(Group(*parts, closing(report)), style)


def _rack(report: Report, style: Style) -> list[RenderableType]:
    """The boards of devices that have several, and their spread; only remarks where the style is quiet."""
    found = rack_of(report)
    if found is None:
        return []
    shown: list[RenderableType] = []
    if not style.quiet:
        shown += [_listed(rack.BOARDS, rack.board_rows(found)), Text()]
        if found.spreads:
            shown += [_listed(rack.SPREADS, rack.spread_rows(found)), Text()]
    words = [Text(each, style="yellow") for each in rack.remarks(found)]
    return [*shown, *words, *([Text()] if words else [])]


_NUMBERS = ("checks", "not passed", "time", "lowest", "median", "highest", "spread")


def _listed(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    columns = tuple(Column("right" if name in _NUMBERS else "left") for name in heading)
    return Grid(
        columns, [[Text(name, style="dim") for name in heading], *([Text(cell) for cell in row] for row in rows)]
    )


def _worst_last(report: Report, style: Style) -> list[CheckResult]:
    """The checks that were not printed at once: what warns, then what is unknown, then what fails."""
    is_only = len(report.results) == 1
    held = [one for one in report.results if not comes_at_once(one, style, is_only=is_only)]
    if style.quiet:
        held = [result for result in held if result.status is not Status.PASS]
    return sorted(held, key=lambda result: -wording.WORST_FIRST.index(result.status))


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


def check(result: CheckResult, width: int, *, is_only: bool = False, told: Told | None = None) -> RenderableType:
    """One check: title, limits, figures without a limit, and caveats.

    Args:
        result: The check.
        width: Columns.
        is_only: Whether it is the report's only one. Then its hint is the report's next step, and stands only there.
        told: What the report has said about the artifacts of earlier checks.
    """
    told = Told() if told is None else told
    title = wording.title(result)
    # A line that begins with two colons is a command to the runner of GitHub Actions.
    rows: list[RenderableType] = [Text(f" {title}" if title.startswith("::") else title, style="bold")]
    if details := wording.details(result):
        rows.append(indented(Text(details, style="dim")))
    rows += [indented(Text(f"auto  {words}", style="dim")) for words in wording.not_chosen(result)]
    if result.artifact is not None:
        notes = (note for note in result.artifact.notes if told.is_new(result.artifact.sha256, note))
        rows += [indented(Text(wording.clean(note), style="dim")) for note in notes]
    if result.problem:
        hint = "" if is_only and result.status is Status.UNKNOWN else result.hint
        rows.append(indented(Text(wording.clean(f"{result.problem} {hint}".strip()), style="red")))
    rows.append(indented(_verdicts(result.verdicts, width - _INDENT)))
    if span := wording.time_spoken_for(result):
        rows.append(indented(Text(span, style="dim")))
    rows += [
        indented(Text.assemble((f"{names}: ", "bold"), reason))
        for reason, names in _reasons(result.verdicts).items()
        if reason != wording.clean(result.problem)
    ]
    rows += [indented(part) for part in _ways_out(result, told)]
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


def _reasons(verdicts: Iterable[Verdict]) -> dict[str, str]:
    """The names of the limits by their reason: of a model that did not run, one reason is that of all."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        found.setdefault(wording.reason(verdict), []).append(wording.clean(verdict.metric.name))
    return {words: ", ".join(names) for words, names in found.items() if words}


_LIMIT_COLUMNS = (
    *(Column(justify, wraps=False) for justify in ("left", "left", "right", "left", "right")),
    Column(),
)


def _verdicts(verdicts: tuple[Verdict, ...], width: int) -> RenderableType:
    """A row for each limit; where the columns would cut figures off, a line of words."""
    rows = [_row(verdict, narrow=width < NARROW - _INDENT) for verdict in verdicts]
    shortest = Grid(_LIMIT_COLUMNS[:-1], [row[:-1] for row in rows])
    if shortest.lines(width - _ORIGIN) is None:
        return Group(*map(_in_words, verdicts))
    return Grid(_LIMIT_COLUMNS, rows)


def _in_words(verdict: Verdict) -> Text:
    word, look = _LOOK[verdict.status]
    ignored = " (ignored)" if verdict.ignored else ""
    origin = wording.provenance(verdict)
    return Text.assemble((word + ignored, look), f"  {wording.line(verdict)}{f', {origin}' if origin else ''}")


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


def _ways_out(result: CheckResult, told: Told, *, again: bool = True) -> Iterator[RenderableType]:
    """What explains the failed limits; of an artifact that was explained with an earlier check, only what differs.

    That is left out too without `again`.
    """
    artifact = result.artifact.sha256 if result.artifact is not None else ""
    for found in result.ways_out:
        if told.is_new(artifact, found.parts, found.notes, _means(found.savings)):
            yield from _way_out(found)
        elif again:
            yield Text(_as_above(found), style="dim")


def _means(savings: Sequence[Part]) -> tuple[tuple[str, float], ...]:
    """What the savings are on every device; whether one is enough depends on the device's limit."""
    return tuple((part.name, part.size) for part in savings)


def _as_above(found: WayOut) -> str:
    """In a line, for a device whose limits fail because of the same bytes."""
    enough = [wording.clean(part.name) for part in found.savings if WOULD_HOLD in part.words]
    here = f"; enough here: {', '.join(enough)}" if enough else "; none of it is enough here" if found.savings else ""
    what = "operators that take most" if _is_of_time(found) else "bytes"
    return f"the {what} of {wording.clean(' and '.join(found.metrics))} are explained above{here}"


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
    return f"which operators take most of {of}" if _is_of_time(found) else f"where the bytes of {of} are"


def _is_of_time(found: WayOut) -> bool:
    metric = METRICS.get(found.metrics[0])
    return metric is not None and metric.family in (Family.LATENCY, Family.COUNT)


_PART_COLUMNS = (Column("right", wraps=False), Column(least=8), Column(style="dim"))


def _parts(parts: tuple[Part, ...], metric: str) -> RenderableType:
    """Sizes in the units of the metric that they explain."""
    show = METRICS.get(metric, SIZE).show
    rows = [(Text(show(part.size)), Text(wording.clean(part.name)), Text(wording.clean(part.words))) for part in parts]
    return indented(Grid(_PART_COLUMNS, rows))


def closing(report: Report) -> RenderableType:
    """The last lines: the result, and what to do next."""
    _, look = _LOOK[report.status]
    doubts = dict.fromkeys(
        f"{caveat.message} {caveat.advice}".strip()
        for result in report.results
        for caveat in result.caveats
        if caveat.code in OF_THE_REPORT and len(report.results) > 1
    )
    lines = [Text(wording.clean(doubt), style="yellow") for doubt in doubts]
    lines.append(Text(wording.sentence(report), style=look))
    if step := wording.next_step(report):
        lines.append(Text(step))
    return Group(*lines)
