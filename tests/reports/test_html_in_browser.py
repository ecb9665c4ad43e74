"""The HTML report in a real Chromium: on a phone, in the dark, on paper, and by keyboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.anatomy.tiles import tiles_of
from edgecheck.reports import render
from examples.real_models import fetch
from tests.reports.sample import EVERYTHING, SEEN, report, result

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture
def shown(browser: Chrome, tmp_path: Path) -> Chrome:
    place = tmp_path / "report.html"
    place.write_text(render("html", EVERYTHING), encoding="utf-8")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get(place.as_uri())
    return browser


def of(browser: Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")


def emulated(browser: Chrome, media: str = "", **features: str) -> None:
    pairs = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": pairs})


TILE = 'document.querySelector("svg.tiles g.weights:not(.opened) rect")'


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_the_page_is_as_wide_as_the_screen(width: int, shown: Chrome) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 1000}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert of(shown, "document.documentElement.scrollWidth") <= width
        # What is wider scrolls by itself.
        assert of(shown, 'document.querySelector("svg.tiles").getBoundingClientRect().width') >= min(width - 60, 300)
    finally:
        shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_a_phone_a_limit_is_read_without_scrolling(shown: Chrome) -> None:
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        cells = of(
            shown,
            '[...document.querySelectorAll("table.limits td, table.limits tbody th")].filter(c => c.checkVisibility())'
            ".map(c => c.getBoundingClientRect().right)",
        )
    finally:
        shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert len(cells) > 20
    assert max(cells) <= 390


def test_a_link_to_a_limit_opens_its_check(shown: Chrome) -> None:
    of(shown, 'document.querySelectorAll("details.check").forEach(check => { check.open = false })')
    link = shown.find_element("css selector", "#against ~ .scroll a")
    target = str(link.get_attribute("href")).partition("#")[2]
    row = f"document.getElementById({target!r})"
    assert not of(shown, f"{row}.checkVisibility()")
    link.click()
    assert of(shown, f"{row}.checkVisibility()")
    assert of(shown, f'{row}.closest("details").open')


def test_tiles_follow_the_readers_colours(shown: Chrome) -> None:
    emulated(shown, prefers_color_scheme="light")
    light = of(shown, f"getComputedStyle({TILE}).fill")
    emulated(shown, prefers_color_scheme="dark")
    dark = of(shown, f"getComputedStyle({TILE}).fill")
    assert light != dark
    assert "none" not in (light, dark)


def test_on_paper_everything_is_open_and_light(shown: Chrome) -> None:
    emulated(shown, prefers_color_scheme="light")
    light = of(shown, f"getComputedStyle({TILE}).fill")
    table = '[...document.querySelectorAll("td")].find(cell => cell.textContent == "conv/kernel")'
    assert not of(shown, f"{table}.checkVisibility()")  # it is folded on a screen
    emulated(shown, media="print", prefers_color_scheme="dark")
    assert of(shown, f"{table}.checkVisibility()")
    assert of(shown, f"getComputedStyle({TILE}).fill") == light


def test_every_tile_says_what_it_is(shown: Chrome) -> None:
    titles = of(shown, '[...document.querySelectorAll("svg.tiles g > title")].map(title => title.textContent)')
    assert titles == [
        "net.onnx: 1.50 MB, 100.0%, weight, 2 tensors",
        "conv: 1.40 MB, 93.3%, weight, 2 tensors",
        "conv/kernel: 1.39 MB, 92.7%, weight, Conv, float32, 64 x 3 x 3 x 3",
        "conv/bias: 10.0 kB, 0.7%, weight, Conv, float32, 64",
        "(structure): 100 kB, 6.7%, structure",
    ]
    picture = of(shown, 'document.querySelector("svg.tiles").getAttribute("aria-label")')
    assert picture.startswith("net.onnx, 1.50 MB: the largest parts are conv/kernel 92.7%")


def test_what_is_written_on_a_tile_stays_on_it(browser: Chrome, tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    tiles = tiles_of(fetch("face_detection_short_range.tflite"))
    place.write_text(render("html", report(replace(result(SEEN), tiles=tiles))), encoding="utf-8")
    browser.get(place.as_uri())
    beyond = of(
        browser,
        '[...document.querySelectorAll("svg.tiles g")].filter(g => g.querySelector("text")).map(g =>'
        ' g.querySelector("text").getBBox().width + 3 - g.querySelector("rect").getBBox().width)',
    )
    assert len(beyond) > 20
    assert max(beyond) <= 0
