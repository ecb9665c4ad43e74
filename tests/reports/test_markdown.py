"""Markdown as a CommonMark parser with GitHub's tables reads it.

Covers `wording.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from edgecheck.core.report import Report
from edgecheck.core.verdict import Status
from edgecheck.reports import render, wording
from edgecheck.reports.markdown import LARGEST, MARKER, MOST_ROWS, text
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import CRASH, EVERYTHING, SEEN, report, result

if TYPE_CHECKING:
    from markdown_it.token import Token

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
#: All the HTML that is ours.
OURS = (MARKER, "<details>", "<summary>", "</summary>", "</details>", "<sub>", "</sub>")


def tokens(markdown: str) -> Iterator[Token]:
    for block in PARSER.parse(markdown):
        yield block
        yield from block.children or ()


def tables(markdown: str) -> list[list[list[str]]]:
    """Cells as a reader sees them, by table and row."""
    found: list[list[list[str]]] = []
    for token in tokens(markdown):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and token.level > 3:
            found[-1][-1].append("".join(child.content for child in token.children or ()))
    return found


def test_a_mixed_check() -> None:
    assert render("markdown", report(result(SEEN))) == GOLDEN


def test_one_that_is_fine_says_so_in_a_line() -> None:
    one = result(SEEN)
    lines = render("markdown", report(replace(one, verdicts=one.verdicts[2:]))).splitlines()
    assert lines[:4] == [
        MARKER,
        "### ✅ Every limit holds: 2 limits in 1 check.",
        "",
        "<details><summary>All limits of 1 check</summary>",
    ]


def test_every_verdict_is_there_with_the_terminals_numbers() -> None:
    first, *folded = tables(render("markdown", EVERYTHING))
    rows = [row for table in folded for row in table[1:]]
    assert len(rows) == len(EVERYTHING.verdicts)
    for row, verdict in zip(rows, EVERYTHING.verdicts, strict=True):
        assert row[1:5] == [verdict.metric.name, *wording.found_and_bound(verdict), wording.margin(verdict)]
        assert row[5].startswith(wording.source(verdict))
        assert row[5].endswith(wording.reason(verdict))
    against = [one for one in EVERYTHING.verdicts if one.status is not Status.PASS and not one.ignored]
    assert len(first) - 1 == len(against)
    assert sorted(row[2] for row in first[1:]) == sorted(one.metric.name for one in against)


def test_the_worst_stands_first() -> None:
    first = tables(render("markdown", EVERYTHING))[0]
    words = [row[0].split()[-1] for row in first[1:]]
    assert words == ["fail"] * 6 + ["unknown"] * 2 + ["warn"] * 4


def test_a_crash_says_where() -> None:
    lines = render("markdown", report(result(CRASH))).splitlines()
    reason = "b.yaml:3: the process died of SIGSEGV in the first inference |"
    assert [line for line in lines if line.startswith("| ❌ fail | net.onnx") and line.endswith(reason)]


def test_a_thousand_checks_still_fit_a_comment() -> None:
    many = Report(
        results=(result(SEEN), result(CRASH)) * 500,
        version="0.1.0",
        host="host",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
    )
    markdown = render("markdown", many)
    assert LARGEST / 2 < len(markdown.encode()) < 65_536
    first = tables(markdown)[0]
    assert len(first) == 1 + MOST_ROWS
    failed = sum(one.status in (Status.FAIL, Status.WARN) for one in many.verdicts)
    assert f"… and {failed - MOST_ROWS:,} more." in markdown
    assert markdown.count("</details>") == 1


def test_nothing_judged_is_reported() -> None:
    markdown = render("markdown", report(replace(result(SEEN), verdicts=())))
    assert "### ❔ Nothing was judged." in markdown
    assert "no limit is set for it, so nothing was judged" in markdown


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_are_text_and_nothing_else(trick: str) -> None:
    markdown = render("markdown", hostile_report(trick))
    assert not set(markdown) & STEERING
    kinds = {token.type for token in tokens(markdown)}
    assert not kinds & {"image", "link_open", "code_inline", "fence", "code_block", "em_open", "s_open"}
    for token in tokens(markdown):
        if token.type in ("html_block", "html_inline"):
            left = token.content.replace("All limits of 1 check", "")
            for one in OURS:
                left = left.replace(one, "")
            assert not left.strip()
    assert len(tables(markdown)) == 2
    assert {len(row) for row in tables(markdown)[0]} == {7}
    assert {len(row) for row in tables(markdown)[1]} == {6}
    markdown.encode()


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("ram_peak", r"ram\_peak"),
        ("a|b", r"a\|b"),
        ("@octocat", "@\u200boctocat"),
        ("fixes #12", "fixes #\u200b12"),
        ("http://x", "http:&#47;&#47;x"),
        ("www.x", "www&#46;x"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("100 % @ 3", "100 % @ 3"),
    ],
)
def test_text_stands_for_itself(raw: str, safe: str) -> None:
    assert text(raw) == safe


TITLE = "net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local"
GOLDEN = f"""\
<!-- edgecheck -->
### ❌ Of 4 limits in 1 check, 1 does not hold, 1 crossed a warning.

| | check | metric | found | limit | margin | limit set at |
| --- | --- | --- | ---: | --- | ---: | --- |
| ❌ fail | {TITLE} | size | 1.50 MB | ≤ 1.00 MB | 50% over | b.yaml:3 |
| ⚠️ warn | {TITLE} | download | 1.20 MB | ≤ 1.10 MB | 9.1% over | pi.yaml:9 |

Next: make the model smaller or faster, or raise the limit at b.yaml:3.

<details><summary>All limits of 1 check</summary>

**{TITLE}**

onnx, as it is; ran on onnxruntime 1.32.0, 1 thread

| | metric | found | limit | margin | limit set at |
| --- | --- | ---: | --- | ---: | --- |
| ❌ fail | size | 1.50 MB | ≤ 1.00 MB | 50% over | b.yaml:3 |
| ⚠️ warn | download | 1.20 MB | ≤ 1.10 MB | 9.1% over | pi.yaml:9 |
| ✅ pass | ram\\_peak | 61.0 MiB | ≤ 80.0 MiB | 24% room | b.yaml:3 |
| ✅ pass | load\\_time | 10.0 ms | ≤ 1.00 s | 99% room | command line |

- not limited: measured: ram\\_model 21.0 MiB, latency\\_first 20.0 ms, latency\\_p50 10.0 ms, latency\\_p90 10.0 ms

</details>

<sub>edgecheck 0.1.0 on Linux x86\\_64 ci, 4.5 s</sub>
"""
