"""The time that a verdict on a latency is about, in each format of report."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.verdict import judge
from edgecheck.reports import FORMATS, Style, render
from edgecheck.reports.reading import read_report
from tests.builders import limit
from tests.reports.sample import SEEN, report, result

FOUND = Measurement(
    metric=METRICS["latency_p90"], value=0.06, provenance=Provenance.MEASURED, basis="9 inferences", span=9.5
)
REPORT = report(replace(result(SEEN), verdicts=(judge(limit("latency_p90", 0.05), FOUND),)))


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("json", "html")])
def test_the_line_of_the_limit_says_for_how_long_it_was_measured(name: str) -> None:
    assert "over 9.50 s" in render(name, REPORT, Style(width=110))


def test_json_has_the_seconds_and_they_survive_reading() -> None:
    text = render("json", REPORT, Style())
    assert json.loads(text)["checks"][0]["verdicts"][0]["found"]["span"] == 9.5
    again = read_report(text, "a.json").results[0].verdicts[0].finding
    assert isinstance(again, Measurement)
    assert again.span == 9.5


def test_a_figure_that_takes_no_time_has_none() -> None:
    found = Measurement(metric=METRICS["size"], value=1.0, provenance=Provenance.STATIC)
    only = report(replace(result(None), verdicts=(judge(limit("size", 2.0), found),)))
    assert " over " not in render("terminal", only, Style(width=110))
