"""The HTML report: what is in it, that nothing hostile gets out of its text, and that a real Chromium shows it.

Covers `layout.py` and `pages.py`.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgecheck.core.report import Report
from edgecheck.core.verdict import Status
from edgecheck.reports import plots, render, tile_map, wording
from edgecheck.reports.html import MOST_DRAWN
from edgecheck.reports.reading import read_report
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import CRASH, EVERYTHING, TILES, report, result, rich

_VOID = frozenset({"meta", "link", "line", "rect", "polyline", "use", "input"})
_TAGS = _VOID | {
    *("html", "head", "title", "style", "body", "header", "main", "section", "footer", "div", "h1", "h2", "h3", "p"),
    *("ul", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "strong", "span", "details", "summary", "figure"),
    *("figcaption", "svg", "text", "g", "fieldset", "legend", "label", "select", "option"),
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


def test_the_verdict_comes_first() -> None:
    shown = page(render("html", EVERYTHING)).words
    assert shown[0] == ("title", f"✘ edgecheck: {wording.sentence(EVERYTHING)}")
    assert shown[1] == ("h1", f"✘ {wording.sentence(EVERYTHING)}")
    assert shown[2] == ("p", "Next: make the model smaller or faster, or raise the limit at b.yaml:3.")


def test_every_number_is_the_terminals() -> None:
    shown = words(render("html", EVERYTHING))
    for verdict in EVERYTHING.verdicts:
        for number in (*wording.found_and_bound(verdict), wording.margin(verdict)):
            assert not number or number in shown
    rows = sum(word == "download" for word in shown)
    assert rows == 2 * len(EVERYTHING.results) + 1  # of what does not pass, of its check, and the filter's


def test_what_does_not_pass_leads_to_its_check() -> None:
    text = render("html", EVERYTHING)
    tags = page(text).tags
    links = re.findall(r'<a href="(#check-[0-9]+-limit-[0-9]+)">', text)
    anchors = {f"#{attributes['id']}" for tag, attributes in tags if tag == "tr" and "id" in attributes}
    assert len(links) == sum(verdict.status is not Status.PASS for verdict in EVERYTHING.verdicts)
    assert set(links) <= anchors


def test_every_drawing_has_words_and_a_table() -> None:
    drawn = plots.plots(rich())
    assert [plot.title for plot in drawn] == [
        "Memory over time",
        "Latencies of steady inferences",
        "Projected latency on the device",
    ]
    tags = page(render("html", report(rich()))).tags
    pictures = [attributes for tag, attributes in tags if tag == "svg" and attributes.get("role") == "img"]
    parts = tile_map.tile_map(TILES)
    labels = [*(f"{plot.title}: {plot.summary}" for plot in drawn), parts.summary]
    assert [one["aria-label"] for one in pictures] == labels
    shown = words(render("html", report(rich())))
    for plot in drawn:
        assert plot.summary in shown
        assert all(cell in shown for row in plot.rows for cell in row if cell)
    assert parts.summary in shown
    assert all(cell in shown for row in parts.rows for cell in row if cell)


def test_the_bytes_of_a_file_are_drawn_once_and_found_from_every_check_of_it() -> None:
    text = render("html", EVERYTHING)
    tags = page(text).tags
    assert [attributes["id"] for _, attributes in tags if (attributes.get("id") or "").endswith("-bytes")] == [
        "check-1-bytes"
    ]
    assert text.count('<a href="#check-1-bytes">') == 3


def test_a_report_read_back_from_json_draws_the_same_page() -> None:
    checked = report(rich())
    read = read_report(render("json", checked), "head.json")
    assert read.results[0].tiles == TILES
    assert render("html", read) == render("html", checked)


def test_without_the_parts_of_the_file_there_is_no_drawing_of_them() -> None:
    text = render("html", report(replace(rich(), tiles=None)))
    assert "Where the bytes are" not in text


def test_the_page_loads_nothing() -> None:
    text = render("html", report(rich()))
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
    text = render("html", many)
    assert text.count('class="check ') == 101
    assert text.count('role="img"') == 3 * (MOST_DRAWN - 1) + 1
    assert "Only the 60 checks with the worst results have drawings" in text


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_are_text_and_nothing_else(trick: str) -> None:
    text = render("html", hostile_report(trick))
    assert not set(text) & STEERING
    tags = page(text).tags
    assert {tag for tag, _ in tags} <= _TAGS
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    plain = [(tag, sorted(attributes)) for tag, attributes in page(render("html", hostile_report("x"))).tags]
    assert [(tag, sorted(attributes)) for tag, attributes in tags] == plain
    text.encode()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1100, 500])
def test_a_real_chromium_shows_it_without_a_complaint(width: int, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's chromium: sh tools/debian-packages.sh")
    place, shot = tmp_path / "report.html", tmp_path / "shot.png"
    place.write_text(render("html", report(rich(), *hostile_report(*TRICKS).results)), encoding="utf-8")
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
