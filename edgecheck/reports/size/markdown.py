"""The anatomy of a model in Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from edgecheck.reports.markdown import text
from edgecheck.reports.size import Growth, SizeReport, words

#: The first line, by which a pipeline finds its earlier comment and replaces it.
MARKER = "<!-- edgecheck size -->"

#: Rows of a table: GitHub takes 65,536 bytes for a comment.
_MOST_ROWS = 100
_BACKTICKS = re.compile(r"`+")


def render(report: SizeReport) -> str:
    """The changes from an older model, if there is one; then the largest rows and what would make it smaller."""
    report = replace(report, view=replace(report.view, top=min(report.view.top or _MOST_ROWS, _MOST_ROWS)))
    growth = report.growth
    title = words.verdict(growth, report) if growth is not None else words.title(report)
    blocks = [f"{MARKER}\n### {text(title)}"]
    blocks += _grown(report, growth) if growth is not None else []
    heading = words.HEADINGS[report.view.by]
    where = _table(("bytes", "share", heading, "type", "shape"), 2, _rows(report))
    total = words.sum_of_kinds(report)
    blocks += [where, total] if growth is None else _folded(f"Where the bytes are: {total}", where)
    blocks += [text(" ".join(words.on_tpu(report)))] if report.edge_tpu is not None else []
    advice = [
        f"- **{each.means.value}**: {text(words.saving(each, report))}. {text(words.sentence(each.sentence))}"
        for each in report.advice
    ]
    blocks += ["\n".join(advice)] if advice else []
    return "\n\n".join(blocks) + "\n"


def code(name: str) -> str:
    """A name as a code span, so that nothing in it is a link, a mention, a tag or the end of its cell."""
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(name)), default=0))
    space = " " if name.startswith("`") or name.endswith("`") else ""
    return f"{fence}{space}{name or ' '}{space}{fence}".replace("|", "\\|")


def _rows(report: SizeReport) -> Iterable[tuple[str, ...]]:
    for row in words.rows(report):
        share = words.share(row.stored, report.anatomy.size)
        yield (
            f"{row.stored:,}",
            share,
            code(words.shown(row.name)),
            text(words.shown(row.dtype)),
            words.shape(row.shape),
        )


def _table(columns: tuple[str, ...], right: int, rows: Iterable[tuple[str, ...]]) -> str:
    """A table whose first `right` columns are aligned right."""
    rule = ("--:",) * right + ("---",) * (len(columns) - right)
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def _grown(report: SizeReport, growth: Growth) -> list[str]:
    rows = [
        (
            words.signed(line.new - line.old),
            words.relative(line.old, line.new),
            line.status,
            code(line.name),
            text(line.detail),
        )
        for line in words.changes(growth, report.view.top)
    ]
    blocks = [_table(("change", "%", "", words.HEADINGS[report.view.by], ""), 2, rows)] if rows else []
    same = words.unchanged(growth)
    return [*blocks, same] if same else blocks


def _folded(summary: str, content: str) -> list[str]:
    return [f"<details><summary>{summary}</summary>", content, "</details>"]
