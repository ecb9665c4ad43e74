"""The profile of a model's operators as GitHub-flavoured Markdown."""

from __future__ import annotations

from edgecheck.core.operator_changes import OperatorChanges
from edgecheck.core.operator_groups import By
from edgecheck.reports.markdown import text
from edgecheck.reports.profile import ProfileReport, words


def render(report: ProfileReport) -> str:
    """What grew, if that was asked, and the operators that take most."""
    lines = [f"### {text(words.title(report))}", "", text(words.whole(report.profile)), ""]
    if report.changes is not None:
        lines += _changes(report, report.changes)
    lines += [*_rows(report), "", *(f"- {text(note)}" for note in words.notes(report))]
    foot = f"edgecheck {report.version}; {words.how(report)}"
    return "\n".join([*lines, "", f"<sub>{text(foot)}</sub>", ""])


def _rows(report: ProfileReport) -> list[str]:
    profile = report.profile
    figure = words.figure_heading(profile)
    heads = [words.HEADINGS[report.by], *(["type"] if report.by is By.NODE else [])]
    names = [figure, "share", *heads, "MACs", words.rate_heading(profile), "bytes", ""]
    lines = [_line(names), _line(["---:", "---:", *("---" for _ in heads), "---:", "---:", "---:", "---"])]
    found, others = words.shown_rows(report)
    for row in (*found, *((others,) if others else ())):
        kinds = [text(row.type)] if report.by is By.NODE else []
        cells = [profile.show(row.seconds), words.share(profile, row.seconds), text(row.name), *kinds]
        work = [words.work(row.macs), words.rate(row), words.moved(row.bytes), text(words.detail(row))]
        lines.append(_line([*cells, *work]))
    blank = [""] * (len(names) - 3)
    sums = ([words.signed(profile, last.seconds).lstrip("+±"), last.share, last.name] for last in words.sums(profile))
    return [*lines, *(_line([*cells, *blank]) for cells in sums)]


def _changes(report: ProfileReport, found: OperatorChanges) -> list[str]:
    lines = [
        f"**{text(words.verdict(report, found))}**",
        "",
        "| change | old | new | | operator | type | |",
        "| ---: | ---: | ---: | --- | --- | --- | --- |",
    ]
    for each in words.changes(report, found):
        cells = [each.delta, each.old, each.new, each.change, text(each.name), text(each.type), text(each.detail)]
        lines.append(_line(cells))
    same = words.unchanged(found)
    return [*lines, "", *([text(same), ""] if same else [])]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
