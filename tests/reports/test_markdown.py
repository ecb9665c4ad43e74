"""Markdown as a CommonMark parser with GitHub's tables reads it.

Covers `wording.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from edgecheck.core.comparison import Side, judged_against
from edgecheck.core.finding import Measurement
from edgecheck.core.limits import Allowance, Source
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import Report
from edgecheck.core.verdict import Status, judge
from edgecheck.reports import render, wording
from edgecheck.reports.markdown import FIRST_ROWS, LARGEST, MARKER, MOST_ROWS, text
from tests.builders import limit
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
    first, more, *folded = tables(render("markdown", EVERYTHING))
    first += more[1:]
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
    first, more, *_ = tables(render("markdown", EVERYTHING))
    words = [row[0].split()[-1] for row in (*first[1:], *more[1:])]
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
    first, more, *_ = tables(markdown)
    assert (len(first), len(more)) == (1 + FIRST_ROWS, 1 + MOST_ROWS - FIRST_ROWS)
    failed = sum(one.status in (Status.FAIL, Status.WARN) for one in many.verdicts)
    assert f"… and {failed - MOST_ROWS:,} more." in markdown
    assert markdown.count("</details>") == 2


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


def against(size: int, base: int, *, rule: float) -> Report:
    """A check whose size is compared with a baseline, with a limit of 1 MB."""
    head, before = (
        replace(one, findings={"size": found}, verdicts=(judge(limit("size", 1_000_000), found),), run=None, target="")
        for value in (size, base)
        for one in [result(None)]
        for found in [Measurement(metric=METRICS["size"], value=value, provenance=Provenance.STATIC)]
    )
    allowed = Allowance(metric=METRICS["size"], growth=rule, source=Source("budget", "b.yaml", 7))
    return report(judged_against(Side(head, "ci"), [allowed], report(before)))


def test_growth_is_shown_from_base_to_head() -> None:
    grown = render("markdown", against(5_480_000, 2_070_000, rule=0.01))
    lines = grown.splitlines()
    assert lines[:4] == [
        MARKER,
        "### ❌ size 2.07 → 5.48 MB, 2 limits do not hold",
        "",
        "Of 2 limits in 1 check, 2 do not hold.",
    ]
    (header, *rows), *_ = tables(grown)
    assert header == ["", "metric", "base", "head", "change", "limit", "check"]
    assert rows == [
        ["❌ fail", "size", "2.07 MB", "5.48 MB", "+165%", "≤ 1.00 MB", rows[0][6]],
        ["❌ fail", "size vs baseline", "2.07 MB", "5.48 MB", "+165%", rows[1][5], rows[0][6]],
    ]
    assert rows[1][5] == "≤ 2.09 MB: it grew by 164.7% from 2.07 MB; 1% is allowed"


@pytest.mark.parametrize(
    ("size", "base", "line"),
    [
        (500_000, 500_000, "✅ Every limit holds: 2 limits in 1 check."),
        (500_000, 600_000, "✅ size 600 → 500 kB, every limit holds"),
        (1_200_000, 900_000, "❌ size 900 kB → 1.20 MB, 1 limit does not hold"),
    ],
)
def test_the_status_in_a_line(size: int, base: int, line: str) -> None:
    assert render("markdown", against(size, base, rule=9)).splitlines()[1] == f"### {line}"


@pytest.mark.parametrize(
    ("size", "base", "change"),
    [(2, 1, "+100%"), (1, 2, "-50%"), (1000, 1001, "-under 0.1%"), (5, 5, "±0%"), (5, 0, ""), (1030, 1000, "+3.0%")],
)
def test_a_change_in_percent(size: int, base: int, change: str) -> None:
    assert wording.change(against(size, base, rule=9).verdicts[0]) == change


def test_growth_from_no_figure_has_no_bound() -> None:
    none = against(5, 4, rule=9)
    before = replace(none.results[0], findings={}, verdicts=())
    allowed = Allowance(metric=METRICS["size"], growth=0.1, source=Source("budget", "b.yaml", 7))
    verdict = judged_against(Side(none.results[0], "ci"), [allowed], report(before)).verdicts[-1]
    assert verdict.status is Status.UNKNOWN
    assert wording.found_and_bound(verdict) == ("5 B", "")
    assert wording.line(verdict) == "size vs baseline 5 B"
