"""The report as GitHub's workflow commands: an annotation at the budget's line for each limit that does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from edgecheck.core.limits import Source
from edgecheck.core.report import CheckResult, Report, from_root
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports import wording
from edgecheck.reports.wording import clean, shortened

#: Annotations of one kind that GitHub shows per step.
MOST = 10

#: An undecided limit makes exit code 3, which fails the job as 1 does.
_COMMAND = {Status.FAIL: "error", Status.UNKNOWN: "error", Status.WARN: "warning"}

#: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts: escapeData and escapeProperty.
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = _DATA | {":": "%3A", ",": "%2C"}


def render(report: Report) -> str:
    """A line per annotation, the worst first; if every limit holds, one notice that says so."""
    report = from_root(report)
    found = [(_command(verdict, result), verdict) for result, verdict in _against(report)]
    errors = [line for line, verdict in found if verdict.status is Status.FAIL]
    errors += [line for line, verdict in found if verdict.status is Status.UNKNOWN]
    errors += [_empty(result) for result in report.results if not result.verdicts]
    warnings = [line for line, verdict in found if verdict.status is Status.WARN]
    lines = [*_capped(errors, "error"), *_capped(warnings, "warning")]
    if not lines:
        lines = [command("notice", {"title": "edgecheck"}, wording.sentence(report))]
    return "\n".join(lines) + "\n"


def command(name: str, properties: dict[str, str], message: str) -> str:
    """One workflow command; nothing in `properties` or `message` can end it or start another."""
    shown = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in properties.items() if value)
    return f"::{name}{' ' if shown else ''}{shown}::{_escaped(message, _DATA)}"


def _escaped(raw: str, table: dict[str, str]) -> str:
    return "".join(table.get(character, character) for character in raw)


def _against(report: Report) -> list[tuple[CheckResult, Verdict]]:
    return [
        (result, verdict) for result in report.results for verdict in result.verdicts if wording.counts_against(verdict)
    ]


def _command(verdict: Verdict, result: CheckResult) -> str:
    title = f"{verdict.metric.name}: {verdict.status.value}"
    message = f"{wording.title(result)}\n{shortened(wording.explained(verdict))}"
    place = in_repository(verdict.limit.source)
    line = str(verdict.limit.source.line) if place else ""
    # A limit of a packaged profile stands in no file of the repository: the budget that names the device does.
    place = place or in_repository(Source("budget", result.budget.path, 1))
    properties = {"file": clean(place), "line": line, "title": clean(title)}
    return command(_COMMAND[verdict.status], properties, message)


def _empty(result: CheckResult) -> str:
    message = f"{wording.title(result)}\n{shortened(wording.problem(result))}"
    return command("error", {"file": clean(result.budget.path), "title": "nothing judged"}, message)


def in_repository(source: Source) -> str:
    """The limit's file if it is in the checked-out repository; empty for others, such as a packaged profile."""
    path = PurePosixPath(source.file)
    is_elsewhere = path.is_absolute() or ".." in path.parts or "_packaged" in path.parts
    return "" if is_elsewhere or source.line < 1 else source.file


def _capped(lines: Sequence[str], name: str) -> list[str]:
    """At most as many lines as GitHub shows; the last one counts those left out."""
    if len(lines) <= MOST:
        return list(lines)
    left = len(lines) - MOST + 1
    return [*lines[: MOST - 1], command(name, {"title": "edgecheck"}, f"{left:,} more: see the job summary.")]
