"""The HTML report: what is in it, that nothing hostile gets out of its text, and that a real Chromium shows it."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import CheckResult, Part, Report, WayOut
from edgecheck.core.run import Phase, PhaseMark
from edgecheck.core.verdict import Status, judge
from edgecheck.reports import Style, plots, render, tile_map, wording
from edgecheck.reports.html import MOST_DRAWN
from edgecheck.reports.reading import read_report
from tests.builders import MIB, latency_worker, limit, memory_worker, run
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import CRASH, EVERYTHING, TILES, report, result

_VOID = frozenset({"meta", "link", "line", "rect", "polyline"})
_TAGS = _VOID | {
    *("html", "head", "title", "style", "body", "header", "main", "section", "footer", "div", "h1", "h2", "h3", "p"),
    *("ul", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "strong", "span", "details", "summary", "figure"),
    *("figcaption", "svg", "text", "g"),
}


@dataclass
class Page(HTMLParser):
    """What a browser makes of the text: elements, and words by element."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    words: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1:] != ["style"]:
            self.words.append((self.open[-1], data.strip()))


def page(text: str) -> Page:
    parsed = Page()
    parsed.feed(text)
    parsed.close()
    assert parsed.open == []
    return parsed


def words(text: str) -> list[str]:
    return [word for _, word in page(text).words]


PROJECTED = Measurement(
    metric=METRICS["latency_p50"],
    value=0.0123,
    provenance=Provenance.PROJECTED,
    low=0.0098,
    high=0.0154,
    interval=True,
    basis="15.4M instructions",
)
SEEN_AT = zip(Phase, (0.0, 0.1, 0.15, 0.16, 0.3), (8, 40, 50, 60, 61), strict=True)
MARKS = tuple(PhaseMark(phase=phase, at=at, rss=rss * MIB, peak_rss=rss * MIB) for phase, at, rss in SEEN_AT)
MEMORY = replace(
    memory_worker(40 * MIB, 61 * MIB), marks=MARKS, samples=tuple((at / 1000, (8 + at // 6) * MIB) for at in range(300))
)
RICH = run(latency_worker(*(0.01 + at % 17 * 1e-4 for at in range(400)), 0.9), MEMORY, MEMORY)


def rich() -> CheckResult:
    """A check with every drawing in it."""
    whole = result(RICH)
    verdicts = (
        *whole.verdicts,
        judge(limit("latency_p50", 0.014, 0.011), PROJECTED),
        judge(limit("latency_p90", 5.0), METRIC_P90),
    )
    way_out = WayOut(
        metrics=("size",),
        parts=(Part("dense_3", 1_180_000, "float32"),),
        savings=(Part("int8", 900_000, "a byte each"),),
        notes=("Note.",),
    )
    return replace(
        whole,
        findings={**(whole.findings or {}), "latency_p50": PROJECTED},
        verdicts=verdicts,
        ways_out=(way_out,),
    )


METRIC_P90 = Measurement(metric=METRICS["latency_p90"], value=0.0115, provenance=Provenance.MEASURED)


def test_the_verdict_comes_first() -> None:
    told = page(render("html", EVERYTHING, Style())).words
    assert told[0] == ("title", f"✘ edgecheck: {wording.sentence(EVERYTHING)}")
    assert told[1] == ("h1", f"✘ {wording.sentence(EVERYTHING)}")
    assert told[2] == ("p", "Next: make the model smaller or faster, or raise the limit at b.yaml:3.")


def test_every_number_is_the_terminals() -> None:
    told = words(render("html", EVERYTHING, Style()))
    for verdict in EVERYTHING.verdicts:
        for number in (*wording.found_and_bound(verdict), wording.margin(verdict)):
            assert not number or number in told
    rows = sum(word == "download" for word in told)
    assert rows == 2 * len(EVERYTHING.results)  # of what does not pass, and of its check


def test_what_does_not_pass_leads_to_its_check() -> None:
    tags = page(render("html", EVERYTHING, Style())).tags
    links = [attributes["href"] for tag, attributes in tags if tag == "a" if attributes["href"] != "#check-1-bytes"]
    anchors = {f"#{attributes['id']}" for tag, attributes in tags if attributes.get("class") == "check"}
    assert len(links) == sum(verdict.status is not Status.PASS for verdict in EVERYTHING.verdicts)
    assert set(links) <= anchors


def test_every_drawing_has_words_and_a_table() -> None:
    drawn = plots.plots(rich())
    assert [plot.title for plot in drawn] == [
        "Memory over time",
        "Latencies of steady inferences",
        "Projected latency on the device",
    ]
    tags = page(render("html", report(rich()), Style())).tags
    pictures = [attributes for tag, attributes in tags if tag == "svg" and attributes.get("role") == "img"]
    parts = tile_map.tile_map(TILES)
    labels = [*(f"{plot.title}: {plot.summary}" for plot in drawn), parts.summary]
    assert [one["aria-label"] for one in pictures] == labels
    told = words(render("html", report(rich()), Style()))
    for plot in drawn:
        assert plot.summary in told
        assert all(cell in told for row in plot.rows for cell in row if cell)
    assert parts.summary in told
    assert all(cell in told for row in parts.rows for cell in row if cell)


def test_the_bytes_of_a_file_are_drawn_once_and_found_from_every_check_of_it() -> None:
    text = render("html", EVERYTHING, Style())
    tags = page(text).tags
    assert [attributes["id"] for _, attributes in tags if (attributes.get("id") or "").endswith("-bytes")] == [
        "check-1-bytes"
    ]
    assert text.count('<a href="#check-1-bytes">') == 3


def test_what_json_tells_draws_the_same_page() -> None:
    whole = report(rich())
    read = read_report(render("json", whole, Style()), "head.json")
    assert read.results[0].tiles == TILES
    assert render("html", read, Style()) == render("html", whole, Style())


def test_without_the_files_parts_there_is_no_drawing_of_them() -> None:
    text = render("html", report(replace(rich(), tiles=None)), Style())
    assert "Where the bytes are" not in text


def test_memory_is_drawn_with_its_phases_and_its_limit() -> None:
    memory = plots.plots(rich())[0]
    assert memory.summary == (
        "Resident memory of 2 processes: at most 61.0 MiB; ram_peak limit 80.0 MiB. "
        "1 start, 2 runtime ready, 3 model loaded, 4 first inference, 5 steady."
    )
    assert [mark.words for mark in memory.level] == ["ram_peak limit 80.0 MiB"]
    assert [mark.words for mark in memory.upright] == ["1", "2", "3", "4", "5"]
    assert memory.rows[3] == ("4", "first inference", "160 ms", "60.0 MiB", "60.0 MiB")
    assert len(memory.lines) == 2


def test_an_interval_is_drawn_against_its_limits() -> None:
    interval = plots.plots(rich())[2]
    (bar,) = interval.bars
    marks = {mark.words: mark.at for mark in interval.upright}
    assert bar.x < marks["estimate"] < marks["latency_p50 limit 14.0 ms"] < bar.x + bar.width
    assert bar.x < marks["latency_p50 warning 11.0 ms"] < marks["estimate"]


def test_latencies_far_out_are_told_and_not_drawn() -> None:
    latencies = plots.plots(rich())[1]
    assert latencies.summary.endswith("latency_p90 limit 5.00 s; 1 slower ones are not drawn.")
    assert sum(mark.words == "latency_p90 limit 5.00 s" for mark in latencies.upright) == 0


def _inside(at: float, least: float, most: float) -> bool:
    return least <= at <= most


@pytest.mark.parametrize("one", [rich(), *EVERYTHING.results])
def test_nothing_is_drawn_outside_of_the_canvas(one: CheckResult) -> None:
    for plot in plots.plots(one):
        for mark in (*plot.across, *plot.upright):
            assert _inside(mark.at, plots.LEFT, plots.RIGHT)
        for mark in (*plot.upward, *plot.level):
            assert _inside(mark.at, plots.TOP, plots.BOTTOM)
        for bar in plot.bars:
            assert bar.x >= plots.LEFT
            assert bar.x + bar.width <= plots.RIGHT + 1
            assert plots.TOP <= bar.y <= bar.y + bar.height <= plots.BOTTOM + 0.2
        for line in plot.lines:
            for point in line.split():
                x, y = map(float, point.split(","))
                assert _inside(x, plots.LEFT, plots.RIGHT)
                assert _inside(y, plots.TOP, plots.BOTTOM)


def test_words_above_the_canvas_do_not_run_into_each_other() -> None:
    for plot in plots.plots(rich()):
        for row in range(3):
            ends = 0.0
            for mark in (mark for mark in plot.upright if mark.row == row):
                width = 6.2 * len(mark.words)
                start = mark.at - {"start": 0.0, "middle": width / 2, "end": width}[mark.anchor]
                assert start >= ends
                ends = start + width


def test_few_values_are_not_drawn() -> None:
    assert plots.plots(result(None)) == ()
    assert plots.plots(result(CRASH)) == ()
    assert plots.plots(result(run(latency_worker(0.01, 0.01)))) == ()


def test_what_was_all_alike_is_drawn_too() -> None:
    (latencies,) = plots.plots(result(run(latency_worker(*[0.01] * 30))))
    assert len(latencies.bars) == 1


def test_the_page_loads_nothing() -> None:
    text = render("html", report(rich()), Style())
    tags = page(text).tags
    assert {tag for tag, _ in tags} <= _TAGS
    policy = next(attributes["content"] for tag, attributes in tags if attributes.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    for _, attributes in tags:
        for name in ("src", "href", "style", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))
    assert "url(" not in text
    assert "@import" not in text


def test_a_thousand_checks_draw_the_worst_and_tell_all() -> None:
    many = Report(
        results=(result(CRASH), *[rich()] * 100),
        version="0.1.0",
        host="ci",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
    )
    text = render("html", many, Style())
    assert text.count('class="check"') == 101
    assert text.count('role="img"') == 3 * (MOST_DRAWN - 1) + 1
    assert "Only the 60 checks with the worst answers are drawn" in text


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_are_text_and_nothing_else(trick: str) -> None:
    text = render("html", hostile_report(trick), Style())
    assert not set(text) & STEERING
    tags = page(text).tags
    assert {tag for tag, _ in tags} <= _TAGS
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    plain = [(tag, sorted(attributes)) for tag, attributes in page(render("html", hostile_report("x"), Style())).tags]
    assert [(tag, sorted(attributes)) for tag, attributes in tags] == plain
    text.encode()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1100, 500])
def test_a_real_chromium_shows_it_without_a_complaint(width: int, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's chromium: sh tools/debian-packages.sh")
    place, shot = tmp_path / "report.html", tmp_path / "shot.png"
    place.write_text(render("html", report(rich(), *hostile_report(*TRICKS).results), Style()), encoding="utf-8")
    common = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    common += ["--enable-logging=stderr", "--v=0", f"--window-size={width},1200"]
    done = subprocess.run(
        [*common, f"--screenshot={shot}", place.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    assert struct.unpack(">II", shot.read_bytes()[16:24]) == (width, 1200)
    assert "CONSOLE" not in done.stderr
    dom = subprocess.run(
        [*common, "--dump-dom", place.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    # What the browser built is what was written: no element more, none less.
    count = re.compile(r"<(?!/|!)(\w+)")
    assert sorted(count.findall(dom.stdout)) == sorted(count.findall(place.read_text(encoding="utf-8")))
