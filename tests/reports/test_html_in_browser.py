"""The HTML report in a real Chromium: on a phone, in the dark, on paper, and by keyboard.

Covers `reports/html.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.anatomy.tiles import tiles_of
from edgecheck.reports import render
from examples.real_models import fetch
from tests.reports.sample import CRASH, EVERYTHING, SEEN, report, result, rich

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from edgecheck.core.report import CheckResult


@pytest.fixture
def shown(browser: Chrome, tmp_path: Path) -> Chrome:
    place = tmp_path / "report.html"
    place.write_text(render("html", EVERYTHING), encoding="utf-8")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get(place.as_uri())
    return browser


def of(browser: Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")


def opened(browser: Chrome) -> None:
    """Open every picture, which is small before that."""
    of(browser, 'document.querySelectorAll("details.picture").forEach(picture => { picture.open = true })')


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
        opened(shown)
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


def page_of(browser: Chrome, folder: Path, *results: CheckResult) -> None:
    place = folder / "page.html"
    place.write_text(render("html", report(*results)), encoding="utf-8")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get(place.as_uri())


def on(device: str, one: CheckResult) -> CheckResult:
    return replace(one, profile=replace(one.profile, id=device, name=device))


PASSES = replace(result(SEEN), verdicts=result(SEEN).verdicts[2:])
THREE = (on("pi", rich()), on("pixel", result(SEEN)), on("jetson", PASSES))


def visible(browser: Chrome, selector: str) -> list[str]:
    found = of(
        browser,
        f"[...document.querySelectorAll({selector!r})].filter(e => e.getClientRects().length).map(e => e.textContent)",
    )
    return [" ".join(text.split()) for text in found]


def test_the_matrix_leads_to_each_check(browser: Chrome, tmp_path: Path) -> None:
    page_of(browser, tmp_path, *THREE)
    assert visible(browser, ".matrix td") == ["✘ 50% over", "✘ 50% over", "✔ 24% room"]
    browser.find_elements("css selector", ".matrix td a")[2].click()
    assert of(browser, "location.hash") == "#check-3"


def test_filters_work_from_the_keyboard_without_a_script(browser: Chrome, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains, Keys

    def press(*keys: str) -> None:
        ActionChains(browser).send_keys(*keys).perform()

    page_of(browser, tmp_path, *THREE)
    assert not of(browser, "document.scripts.length")
    titles = visible(browser, ".check > summary h2")
    assert len(titles) == 3
    browser.find_element("css selector", ".matrix td:last-child a").send_keys(Keys.TAB)  # to the first filter
    assert of(browser, "document.activeElement.id") == "show-fail"
    press(Keys.SPACE)
    assert visible(browser, ".check > summary h2") == titles[2:]
    press(Keys.SPACE, Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB)
    assert of(browser, "document.activeElement.id") == "device"
    press(Keys.ARROW_DOWN)
    assert visible(browser, ".check > summary h2") == titles[:1]
    assert len(visible(browser, ".matrix td a")) == 3  # the overview stays
    press(Keys.HOME, Keys.TAB)
    press("latency_p90")
    assert visible(browser, ".check > summary h2") == titles[:1]
    assert set(visible(browser, ".check .limits tbody th")) == {"latency_p90"}


def test_pictures_are_small_until_they_are_opened(browser: Chrome, tmp_path: Path) -> None:
    page_of(browser, tmp_path, rich())
    wide = 'document.querySelector(".picture").getBoundingClientRect().width'
    assert of(browser, 'document.querySelectorAll(".picture > summary .small").length') == 4
    assert of(browser, wide) < 300
    drawn = of(browser, 'document.querySelector(".small use").getBoundingClientRect().width')
    assert drawn > 150  # the small picture is the large one's drawing
    summary = browser.find_element("css selector", ".picture > summary")
    summary.send_keys("\n")
    assert of(browser, wide) > 600
    assert of(browser, 'document.querySelector(".picture .small").getClientRects().length') == 0


def test_a_data_point_is_highlighted_wherever_its_check_shows_it(browser: Chrome, tmp_path: Path) -> None:
    page_of(browser, tmp_path, rich())
    opened(browser)
    of(browser, 'document.querySelectorAll(".picture details").forEach(table => { table.open = true })')
    bold = (
        '[...document.querySelectorAll(".check tr, .check svg text")]'
        ".filter(e => getComputedStyle(e).fontWeight >= 700).map(e => e.textContent.trim().split(/\\s+/)[0])"
    )
    before = of(browser, bold)
    point = browser.find_element("xpath", '//*[contains(@class, "check")]//a[text()="latency_p50"]')
    of(browser, "arguments[0].focus()".replace("arguments[0]", 'document.querySelectorAll("a.point")[4]'))
    assert point.text == of(browser, "document.activeElement.textContent") == "latency_p50"
    marked = of(browser, bold)
    assert len(marked) >= len(before) + 5  # the limit, the percentile, its row, the estimate, two bounds
    assert {"p50", "estimate"} <= set(marked)


def test_an_audit_of_accessibility_finds_nothing(browser: Chrome, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_selenium_python", reason="axe-core comes with axe-selenium-python")
    for scheme in ("light", "dark"):
        page_of(browser, tmp_path, *THREE)
        emulated(browser, prefers_color_scheme=scheme)
        opened(browser)
        audit = axe.Axe(browser)
        audit.inject()
        assert audit.run()["violations"] == []


def busy(browser: Chrome) -> float:
    """Seconds of a processor that the page has taken: its own, whatever else the machine does."""
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def test_a_thousand_checks_open_in_two_seconds_and_scroll_smoothly(browser: Chrome, tmp_path: Path) -> None:
    results = [on(f"device-{number % 30}", (PASSES, rich(), result(CRASH))[number % 3]) for number in range(1000)]
    browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    before = busy(browser)
    page_of(browser, tmp_path, *results)
    assert of(browser, "document.readyState") == "complete"
    assert len(visible(browser, ".check")) == 1000
    assert busy(browser) - before < 2
    before = busy(browser)
    browser.execute_async_script(
        "const done = arguments[0]; let frames = 0; const step = () => { window.scrollBy(0, 400);"
        " ++frames < 60 ? requestAnimationFrame(step) : done() }; requestAnimationFrame(step)"
    )
    assert (busy(browser) - before) / 60 < 0.05  # seconds a frame
    browser.execute_cdp_cmd("Performance.disable", {})
