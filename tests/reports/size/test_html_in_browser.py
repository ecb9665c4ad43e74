"""The HTML report in a real Chromium: mouse, keyboard, phone, light and dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from edgecheck.reports.size.html_report import GROUPS
from tests.reports.size.models import hostile, noise, save
from tests.reports.size.pages import written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.size.pages import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

RIGHT, LEFT, ENTER, ESCAPE, TAB, END = "\ue014", "\ue012", "\ue007", "\ue00c", "\ue004", "\ue010"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on three branches, of which the first holds two layers."""
    made = save(
        tmp_path_factory.mktemp("plain") / "net.onnx",
        {
            "backbone/block_1/conv.weight": noise(90, 1),
            "backbone/block_2/conv.weight": noise(60, 2),
            "neck/conv.weight": noise(40, 3),
            "head/dense.weight": noise(20, 4),
        },
    )
    return written(made)


@pytest.fixture(scope="module")
def worst(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on a model with hostile names."""
    return written(hostile(tmp_path_factory.mktemp("hostile") / "net.onnx"), "--top", "0")


def test_nothing_is_fetched_and_nothing_is_complained_of(page: Page, report: Path) -> None:
    page.open(report)
    assert page.run("return document.documentElement.dataset.ready") == "yes"
    assert [address for address in page.requests() if not address.startswith(("file://", "data:"))] == []
    assert page.browser.get_log("browser") == []


def test_a_click_opens_a_tile_and_the_path_leads_back(page: Page, report: Path) -> None:
    page.open(report)
    assert page.path == ["net.onnx"]
    page.click("backbone 38.4 kB")
    assert page.path == ["net.onnx", "backbone"]
    assert page.status.startswith("backbone, 38,400 bytes, ")
    assert page.tiles() == ["backbone 38.4 kB", "block_1/conv/weight 23.0 kB", "block_2/conv/weight 15.4 kB"]
    page.all("#path button")[0].click()
    assert page.path == ["net.onnx"]


def test_a_click_on_a_tensor_chooses_it_and_one_on_the_strip_goes_back(page: Page, report: Path) -> None:
    page.open(report)
    page.click("block_2/conv/weight 15.4 kB")
    assert page.path == ["net.onnx", "backbone"]
    assert page.status.startswith("block_2/conv/weight, 15,360 bytes, ")
    assert page.chosen() == "block_2/conv/weight 15.4 kB"
    page.click("backbone 38.4 kB")
    assert page.path == ["net.onnx"]
    assert page.chosen() == "backbone 38.4 kB"


def test_the_mouse_over_a_tile_shows_its_details(page: Page, report: Path) -> None:
    from selenium.webdriver import ActionChains

    page.open(report)
    assert not page.one("#tip").is_displayed()
    page.run("document.getElementById('map-section').scrollIntoView()")
    ActionChains(page.browser).move_to_element(page.tile("block_1/conv/weight 23.0 kB")).perform()
    assert page.one("#tip").text == ("block_1/conv/weight, 23,040 bytes, 42.5 % of the model, MatMul, float32, 64 x 90")
    ActionChains(page.browser).move_to_element(page.one("#map")).perform()
    assert not page.one("#tip").is_displayed()


def test_the_script_draws_what_the_page_has_without_it(page: Page, report: Path) -> None:
    written = re.findall(r"<text [^>]*>([^<]+)</text>", report.read_text(encoding="utf-8"))
    page.open(report)
    assert page.tiles() == written
    assert len(written) > 5


def test_without_scripts_the_treemap_and_the_table_are_there(page: Page, report: Path) -> None:
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.browser.get(report.as_uri())
        assert page.one("#plot svg").is_displayed()
        assert page.one("noscript p").text == "Opening a tile needs JavaScript; the table has the same figures."
        assert [each for each in page.all("button, select, input, #keys") if each.is_displayed()] == []
        assert page.one("#rows").is_displayed()
    finally:
        page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_what_is_written_on_a_tile_stays_on_it(page: Page, worst: Path) -> None:
    page.open(worst)
    beyond = page.run(
        "return [...document.querySelectorAll('.tiles text')].map(text =>"
        " text.getBBox().width + 3 - text.parentNode.width.baseVal.value)"
    )
    assert len(beyond) > 5
    assert sum(width > 0 for width in beyond) <= 1, "only the name of glyphs that are wider than letters"
    cut = page.run(
        "return [...document.querySelectorAll('.tiles g > svg')].every(label =>"
        " getComputedStyle(label).overflow === 'hidden'"
        " && label.width.baseVal.value === label.parentNode.firstChild.width.baseVal.value)"
    )
    assert cut


def test_thousands_of_tiles_are_drawn_quickly(page: Page, tmp_path: Path) -> None:
    weights = {f"layer_{at}.weight": noise(4, at) for at in range(1900)}
    page.open(written(save(tmp_path / "net.onnx", weights), "--quick"))
    assert page.run("return document.querySelectorAll('.tiles g').length") > 1900
    redraw = "document.getElementById('measure').dispatchEvent(new Event('change'))"
    assert page.run(f"const start = performance.now(); {redraw}; return performance.now() - start") < 500


def test_the_treemap_works_from_the_keyboard(page: Page, report: Path) -> None:
    page.open(report)
    page.run("document.getElementById('plot').focus()")
    page.press(RIGHT)
    assert page.status.startswith("backbone, 38,400 bytes, ")
    assert page.status.endswith("2 tensors; 2 parts inside")
    page.press(ENTER)
    assert page.path == ["net.onnx", "backbone"]
    page.press(RIGHT, RIGHT)
    assert page.status.startswith("block_2/conv/weight, 15,360 bytes, ")
    assert "MatMul, float32, 64 x 60" in page.status
    page.press(ENTER)
    assert page.path == ["net.onnx", "backbone"], "a tensor has nothing inside"
    page.press(ESCAPE)
    assert page.path == ["net.onnx"]
    assert page.status.startswith("backbone, ")
    page.press(LEFT)
    assert not page.status.startswith("backbone, ")
    page.press(TAB)
    assert page.run("return document.activeElement.id") != "plot", "the focus can leave"


def test_everything_can_be_reached_by_tab(page: Page, report: Path) -> None:
    page.open(report)
    reached = set()
    for _ in range(40):
        page.press(TAB)
        reached.add(page.run("const e = document.activeElement; return e.id || e.textContent"))
    assert {"theme", "measure", "plot", "search", "bytes", "shape", "net.onnx", "neck/conv"} <= reached


def test_a_heading_sorts_and_says_so(page: Page, report: Path) -> None:
    page.open(report)
    assert page.names()[0] == "backbone/block_1/conv"
    heading = page.one("#rows thead th:nth-child(2)")
    assert heading.get_attribute("aria-sort") == "descending"
    heading.find_element("css selector", "button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert page.names()[-1] == "backbone/block_1/conv"
    page.one("#rows thead th:nth-child(1) button").click()
    assert page.names() == sorted(page.names(), key=str.lower)
    assert heading.get_attribute("aria-sort") is None


def test_the_search_finds_names_types_and_shapes(page: Page, report: Path) -> None:
    page.open(report)
    search = page.one("#search")
    search.send_keys("BACKBONE")
    assert page.names() == ["backbone/block_1/conv", "backbone/block_2/conv"]
    assert page.one("#count").text.startswith("2 of ")
    assert page.one("#count").text.endswith("rows, 38,400 bytes")
    search.clear()
    search.send_keys("64 x 20")
    assert page.names() == ["head/dense"]


def test_a_row_is_shown_in_the_treemap(page: Page, report: Path) -> None:
    page.open(report)
    next(button for button in page.all("#rows tbody th button") if button.text == "neck/conv").click()
    assert page.status.startswith("neck/conv/weight, 10,240 bytes, ")
    assert page.run("return document.activeElement.id") == "plot"


def test_tiles_can_show_parameters(page: Page, report: Path) -> None:
    page.open(report)
    page.one("#measure option[value=params]").click()
    assert page.status.startswith("net.onnx, 13,440 parameters, 100.0 % of the model")
    assert not any("structure" in tile for tile in page.tiles())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(scheme: str, page: Page, report: Path) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    page.open(report)
    assert (luminance(page, "--ground") > 0.5) is (scheme == "light")
    for text in ("--text", "--dim", "--link", "--more", "--less"):
        assert contrast(page, text, "--ground") >= 4.5, text
    for group in GROUPS:
        assert contrast(page, "--tile-text", f"--{group}") >= 4.5, group
    page.one("#theme").click()
    assert (luminance(page, "--ground") > 0.5) is (scheme == "dark")
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_phone_scrolls_no_further_than_down(page: Page, worst: Path) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    page.open(worst)
    assert page.run("return document.documentElement.scrollWidth") <= 390
    assert page.run("return document.getElementById('plot').getBoundingClientRect().height") >= 320
    smallest = (
        "return Math.min(...[...document.querySelectorAll('#path button, #theme, input')].map(e => e.offsetHeight))"
    )
    assert page.run(smallest) >= 32
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_stay_text(page: Page, worst: Path) -> None:
    page.open(worst)
    assert page.run("return window.pwned") is None
    assert (
        page.run("return document.querySelectorAll('main img, main b, main svg a, main td a, main th a').length") == 0
    )
    assert page.run("return document.scripts.length") == 2, "the data and our script"
    assert any(tile.startswith("<b>bold</b>") for tile in page.tiles())
    page.run("document.getElementById('plot').focus()")
    for _ in range(14):
        page.press(RIGHT)
    assert page.run("return window.pwned") is None
    assert page.browser.get_log("browser") == []


def luminance(page: Page, variable: str) -> float:
    """Relative luminance of a colour of the page (WCAG 2.2)."""
    script = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0]).trim()"
    color = str(page.run(script, variable))
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(page: Page, text: str, ground: str) -> float:
    """The contrast ratio of two colours of the page (WCAG 2.2)."""
    dark, light = sorted((luminance(page, text), luminance(page, ground)))
    return (light + 0.05) / (dark + 0.05)
