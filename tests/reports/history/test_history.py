"""Reports of results over time: on a terminal, as a page, as tables of numbers, and as a badge.

Covers every module of `reports/history/`, and `reports/cells.py`.
"""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from edgecheck.core.creep import Trend, trend_of
from edgecheck.core.history import Key, Series
from edgecheck.reports import Style
from edgecheck.reports.history import render_binary, render_history, spark
from edgecheck.reports.history.badge import badge
from edgecheck.reports.history.csv_table import COLUMNS
from tests.core.test_creep import CREEPS
from tests.core.test_history import KEY, series
from tests.reports.hostile import STEERING, TRICKS

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SIZE = trend_of(series(CREEPS, limit=1e6, days=9))
LATENCY_KEY = KEY._replace(
    metric="latency_p50", provenance="measured", runtime="onnxruntime 1.32.0", where="local on ci"
)
LATENCY = trend_of(
    series([0.01 + 1e-5 * (at % 3) for at in range(12)] + [0.011 + 1e-5 * (at % 3) for at in range(12)], LATENCY_KEY)
)


def test_on_a_terminal() -> None:
    assert render_history("terminal", (SIZE, LATENCY), Style(width=100)) == GOLDEN


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_figure_is_cut_off(width: int) -> None:
    text = render_history("terminal", (SIZE, LATENCY), Style(width=width))
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    assert all(words in " ".join(text.split()) for words in ("961 kB", "≤ 1.00 MB", "+37.3%", "December 2026", "0.995"))


def test_nothing_to_show() -> None:
    assert render_history("terminal", (), Style()) == "The history has no results of these.\n"


def test_a_spark_line_has_its_highest_and_lowest() -> None:
    assert spark([1, 2, 3, 4, 5, 6, 7, 8], 24) == "▁▂▃▄▅▆▇█"
    assert spark([3, 3, 3], 24) == "▁▁▁"
    assert len(spark(list(map(float, range(1000))), 24)) <= 24


def test_as_a_page() -> None:
    text = render_history("html", (LATENCY, SIZE))
    assert text.index('id="series-1">size') < text.index('id="series-2">latency_p50')  # what creeps comes first
    assert "size creeps: at this rate it fails its limit of 1.00 MB in December 2026." in text
    assert text.count("<polyline") == 2
    assert "limit 1.00 MB" in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    for outside in ("http:", "https:", "url(", "@import", "<script", "src="):
        assert outside not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("name", ["terminal", "html"])
@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_are_text(name: str, trick: str) -> None:
    readings = tuple(one._replace(commit=trick) for one in SIZE.series.readings[:1])
    hostile = trend_of(Series(Key(*[trick] * 7), (*readings, *SIZE.series.readings)))
    text = render_history(name, (hostile,), Style(width=200))
    assert not set(text) & (STEERING - {"\n"})
    assert name == "terminal" or "<script>" not in text
    assert not set(badge(hostile, trick)) & (STEERING - {"\n"})
    ET.fromstring(badge(hostile, trick))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_audit_of_accessibility_finds_nothing(browser: Chrome, tmp_path: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_selenium_python", reason="axe-core comes with axe-selenium-python")
    place = tmp_path / "trends.html"
    place.write_text(render_history("html", (LATENCY, SIZE)), encoding="utf-8")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    browser.get(place.as_uri())
    audit = axe.Axe(browser)
    audit.inject()
    assert audit.run()["violations"] == []


def test_figures_from_outside_of_a_repository_are_results() -> None:
    moments = tuple(replace(moment, commit="") for moment in SIZE.moments)
    assert "30 results since 2026-03-01" in render_history("terminal", (replace(SIZE, moments=moments),), Style())


def test_as_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(render_history("csv", (SIZE, LATENCY)))))
    assert len(rows) == 54
    assert tuple(rows[0]) == COLUMNS
    assert rows[0] == {
        "at": "2026-03-01T00:00:00+00:00",
        "commit": "0000",
        "branch": "main",
        "lineage": "net.yaml",
        "variant": "as-is",
        "device": "pi",
        "runtime": "",
        "where": "",
        "metric": "size",
        "provenance": "static",
        "value": "700000",
        "unit": "bytes",
        "limit": "1000000",
        "status": "pass",
    }
    formula = trend_of(series([1.0], KEY._replace(lineage="=1+1")))
    assert next(csv.DictReader(io.StringIO(render_history("csv", (formula,)))))["lineage"] == "'=1+1"


def test_as_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    place = tmp_path / "history.parquet"
    place.write_bytes(render_binary("parquet", (SIZE, LATENCY)))
    table = parquet.read_table(place)
    assert tuple(table.column_names) == COLUMNS
    first = table.to_pylist()[0]
    assert first["at"] == datetime(2026, 3, 1, tzinfo=timezone.utc)
    assert (first["value"], first["limit"], first["device"]) == (700_000.0, 1e6, "pi")
    assert table.to_pylist()[-1]["limit"] is None


def test_a_badge() -> None:
    shown = ET.fromstring(badge(SIZE))
    assert shown.attrib["aria-label"] == "size: 961 kB, pass"
    named = badge(replace_status(SIZE, "fail"), "bytes")
    assert "#b3261e" in named
    assert ">bytes<" in named


def replace_status(trend: Trend, status: str) -> Trend:
    *others, last = trend.moments
    return replace(trend, moments=(*others, replace(last, status=status)))


GOLDEN = """\
net.yaml · as-is · pi
  size  ▁▁▂▃▃▃▄▅▅▅▆▇▇▇█  961 kB  ≤ 1.00 MB  +37.3%  static  30 commits since 2026-03-01
  size: 24 earlier steps; --format html shows all
  size step 2026-10-12 0019: 916 kB to 925 kB (+1.0%)
  size step 2026-10-21 001a: 925 kB to 934 kB (+1.0%)
  size step 2026-10-30 001b: 934 kB to 943 kB (+1.0%)
  size step 2026-11-08 001c: 943 kB to 952 kB (+1.0%)
  size step 2026-11-17 001d: 952 kB to 961 kB (+0.9%)
  size: at this rate it fails its limit of 1.00 MB in December 2026

net.yaml · as-is · pi · onnxruntime 1.32.0 · local on ci
  latency_p50  ▁▁▁▁▁▁▁▁▁▁▁▁████████████  11.0 ms    +10.2%  measured  24 commits since 2026-03-01
  latency_p50 change 2026-03-13 000c: 10.0 ms to 11.0 ms (+10.0%), probability 0.995
"""
