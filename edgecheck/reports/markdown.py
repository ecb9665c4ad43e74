"""The report for a comment on a pull request: what does not hold first and in short, everything else folded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgecheck.core.rack import rack_of
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports import rack, wording
from edgecheck.reports.wording import clean, shortened

#: The first line, by which a pipeline finds its earlier comment and replaces it.
MARKER = "<!-- edgecheck -->"

#: Bytes up to the end of the folded part. GitHub takes 65,536 for a comment; the rest needs a few hundred.
LARGEST = 60_000

#: Rows that are not folded.
FIRST_ROWS = 3

#: Rows of limits that do not hold, folded or not; further ones are in the tables of the checks.
MOST_ROWS = 20

#: Rows of a table of boards.
MOST_BOARDS = 60

#: By status: how it is shown at a glance.
MARK = {Status.PASS: "✅", Status.WARN: "⚠️", Status.UNKNOWN: "❔", Status.FAIL: "❌"}

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
#: GitHub turns these into mentions, references to issues, and links.
_MENTION = re.compile(r"([@#])(?=\w)")
_LINK = re.compile(r"://|(?<=www)\.", re.IGNORECASE)


def render(report: Report) -> str:
    """The report as GitHub-flavoured Markdown that fits into a comment."""
    line, sentence = wording.status_line(report), wording.sentence(report)
    head = [MARKER, f"### {MARK[report.status]} {text(line)}", *(["", text(sentence)] if line != sentence else [])]
    head += _not_passed(report)
    head += _rack(report)
    if step := wording.next_step(report):
        head += ["", text(step)]
    foot = f"<sub>edgecheck {text(report.version)} on {text(report.host)}, {report.seconds:,.1f} s</sub>\n"
    room = LARGEST - _bytes("\n".join(head)) - _bytes(foot)
    return "\n".join([*head, "", *_folded(report, room), foot])


def text(raw: str) -> str:
    """`raw` escaped, so that nothing in it is markup, HTML, a mention or a link."""
    plain = _MENTION.sub("\\1\N{ZERO WIDTH SPACE}", _SPECIAL.sub(r"\\\1", clean(raw)))
    plain = "".join(_ENTITIES.get(character, character) for character in plain)
    return _LINK.sub(lambda match: match[0].replace("/", "&#47;").replace(".", "&#46;"), plain)


def _not_passed(report: Report) -> list[str]:
    found = [
        (verdict, result) for result in report.results for verdict in result.verdicts if wording.counts_against(verdict)
    ]
    if not found:
        return []
    found = wording.worst_first(found)
    is_compared = any(verdict.baseline is not None for result in report.results for verdict in result.verdicts)
    row, header = (_change, _CHANGES) if is_compared else (_against, _LIMITS)
    rows = [row(verdict, result) for verdict, result in found[:MOST_ROWS]]
    lines = ["", *header, *rows[:FIRST_ROWS]]
    more = len(found) - FIRST_ROWS
    if more > 0:
        left = len(found) - MOST_ROWS
        lines += ["", f"<details><summary>{more:,} more</summary>", "", *header, *rows[FIRST_ROWS:], ""]
        lines += [*([f"… and {left:,} more.", ""] if left > 0 else []), "</details>"]
    return lines


def _rack(report: Report) -> list[str]:
    """The boards of devices that have several: remarks, and the tables folded."""
    found = rack_of(report)
    if found is None:
        return []
    lines = ["", *(f"- {text(shortened(each))}" for each in rack.remarks(found)[:MOST_ROWS])]
    tables = [_table(rack.BOARDS, rack.board_rows(found)), _table(rack.SPREADS, rack.spread_rows(found))]
    folded = [line for table in tables for line in table]
    return [*lines, "", f"<details><summary>{len(found.boards):,} boards</summary>", *folded, "", "</details>"]


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    more = [f"… and {len(rows) - MOST_BOARDS:,} more."] if len(rows) > MOST_BOARDS else []
    return [
        "",
        f"| {' | '.join(heading)} |",
        f"|{' --- |' * len(heading)}",
        *(f"| {' | '.join(map(text, row))} |" for row in rows[:MOST_BOARDS]),
        *(["", *more] if more else []),
    ]


_LIMITS = (
    "| | check | metric | found | limit | margin | limit set at |",
    "| --- | --- | --- | ---: | --- | ---: | --- |",
)
_CHANGES = (
    "| | metric | base | head | change | limit | check |",
    "| --- | --- | ---: | ---: | ---: | --- | --- |",
)


def _against(verdict: Verdict, result: CheckResult) -> str:
    return _row(verdict, title=wording.title(result))


def _change(verdict: Verdict, result: CheckResult) -> str:
    base, head = wording.base_and_head(verdict)
    reason = text(shortened(wording.reason(verdict)))
    cells = [
        f"{MARK[verdict.status]} {verdict.status.value}",
        text(verdict.metric.name),
        base,
        head,
        wording.change(verdict),
        ": ".join(part for part in (wording.found_and_bound(verdict)[1], reason) if part),
        text(wording.title(result)),
    ]
    return f"| {' | '.join(cells)} |"


def _row(verdict: Verdict, title: str = "") -> str:
    found, bound = wording.found_and_bound(verdict)
    reason = text(shortened(wording.reason(verdict)))
    cells = [
        f"{MARK[verdict.status]} {verdict.status.value}{' (ignored)' if verdict.ignored else ''}",
        *([text(title)] if title else []),
        text(verdict.metric.name),
        found + wording.over(verdict),
        bound,
        wording.margin(verdict),
        ": ".join(part for part in (text(wording.source(verdict)), reason) if part),
    ]
    return f"| {' | '.join(cells)} |"


def _folded(report: Report, room: int) -> list[str]:
    """As many checks as `room` bytes hold, and how many are left out."""
    blocks: list[str] = []
    for result in report.results:
        block = "\n".join(_check(result))
        room -= _bytes(block)
        if room < 0:
            break
        blocks.append(block)
    left = len(report.results) - len(blocks)
    if left:
        blocks.append(f"\n… and {left:,} more checks; see the JSON report.")
    every = f"{len(report.results):,} check{'s' if len(report.results) != 1 else ''}"
    return [f"<details><summary>All limits of {every}</summary>", *blocks, "", "</details>", ""]


def _check(result: CheckResult) -> list[str]:
    lines = ["", f"**{text(wording.title(result))}**"]
    if details := wording.details(result):
        lines += ["", text(details)]
    if problem := wording.problem(result):
        lines += ["", text(shortened(problem))]
    if result.verdicts:
        lines += [
            "",
            "| | metric | found | limit | margin | limit set at |",
            "| --- | --- | ---: | --- | ---: | --- |",
            *(_row(verdict) for verdict in result.verdicts),
        ]
    notes = [f"auto: {words}" for words in wording.not_chosen(result)]
    notes += [f"{name}: {words}" for name, words in wording.intervals(result)]
    if figures := wording.not_limited(result):
        notes.append(f"not limited: {figures}")
    notes += [f"{caveat.code}: {caveat.message} {caveat.advice}".strip() for caveat in result.caveats]
    return [*lines, *([""] if notes else []), *(f"- {text(shortened(note))}" for note in notes)]


def _bytes(words: str) -> int:
    """Bytes of a line, with its end."""
    return len(words.encode()) + 1
