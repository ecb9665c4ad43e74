"""The anatomy of a model in Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgecheck.anatomy.tables import top
from edgecheck.reports import size_words as words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecheck.reports import Style
    from edgecheck.reports.size_report import Growth, SizeReport

_SPECIAL = re.compile(r"([\\`*_\[\]~|#])")
_BACKTICKS = re.compile(r"`+")


def render(report: SizeReport, style: Style) -> str:
    """What grew first, where it was asked; then the largest rows and what would make the model smaller."""
    del style
    growth = report.growth
    title = words.verdict(growth, report) if growth is not None else words.title(report)
    blocks = [f"### {plain(title)}"]
    blocks += _grown(report, growth) if growth is not None else []
    where = _table(
        f"| bytes | share | {words.HEADINGS[report.view.by]} | type | shape |", "--- | --: | ", _rows(report)
    )
    blocks += (
        _folded(f"Where the bytes are: {words.sum_of_kinds(report)}", where)
        if growth is not None
        else [
            where,
            plain(words.sum_of_kinds(report)),
        ]
    )
    advice = [
        f"- **{each.means.value}**: {plain(words.saving(each, report))}. {plain(words.sentence(each.sentence))}"
        for each in report.advice
    ]
    blocks += ["\n".join(advice)] if advice else []
    return "\n\n".join(blocks) + "\n"


def code(name: str) -> str:
    """A name as a code span: nothing in it is a link, a mention or a tag, and it stays in its cell."""
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(name)), default=0))
    space = " " if name.startswith("`") or name.endswith("`") else ""
    return f"{fence}{space}{name or ' '}{space}{fence}".replace("|", "\\|")


def plain(text: str) -> str:
    """Text whose characters mean nothing but themselves; a mention notifies nobody."""
    escaped = _SPECIAL.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u2060").replace("://", ":\\//").replace("www.", "www\\.")


def _rows(report: SizeReport) -> Iterable[tuple[str, ...]]:
    rows = top(report.rows, report.view.top) if report.view.top else report.rows
    for row in rows:
        share = words.share(row.stored, report.anatomy.size)
        yield f"{row.stored:,}", share, code(words.shown(row.name)), plain(words.shown(row.dtype)), words.shape(row.shape)


def _table(columns: tuple[str, ...], right: int, rows: Iterable[tuple[str, ...]]) -> str:
    """A table whose first `right` columns are flush right."""
    rule = ("--:",) * right + ("---",) * (len(columns) - right)
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def _grown(report: SizeReport, growth: Growth) -> list[str]:
    rows = [
        (
            words.signed(line.new - line.old),
            words.relative(line.old, line.new),
            line.status,
            code(line.name),
            plain(line.detail),
        )
        for line in words.changes(growth, report.view.top)
    ]
    blocks = [_table(("change", "%", "", words.HEADINGS[report.view.by], ""), 2, rows)] if rows else []
    same = words.unchanged(growth)
    return [*blocks, same] if same else blocks


def _folded(summary: str, content: str) -> list[str]:
    return [f"<details><summary>{summary}</summary>", content, "</details>"]
