"""The page of a profile in a real Chromium: by keyboard, on a phone, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.reports.profile import render_profile
from tests.reports.profile.profiles import NEW, grown

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

TAB, ENTER = "\ue004", "\ue007"


@pytest.fixture
def shown(browser: Chrome, tmp_path: Path) -> Chrome:
    place = tmp_path / "profile.html"
    place.write_text(render_profile("html", grown()), encoding="utf-8")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get_log("browser")
    browser.get(place.as_uri())
    return browser


def of(browser: Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")


def test_the_keyboard_goes_from_operator_to_operator_and_to_its_row(shown: Chrome) -> None:
    from selenium.webdriver import ActionChains

    words = []
    for _ in range(20):
        ActionChains(shown).send_keys(TAB).perform()
        if of(shown, 'document.activeElement.closest("svg.flame") !== null'):
            words.append(of(shown, 'document.activeElement.getAttribute("aria-label")'))
    drawn = [one.name for one in NEW.operators if one.name != "cast"]
    # In the order of execution; after the last link, the page begins again.
    assert [each.partition(":")[0] for each in words[: len(drawn)]] == drawn
    shown.execute_script('document.querySelector("svg.flame a").focus()')
    ActionChains(shown).send_keys(ENTER).perform()
    name = words[0].partition(":")[0]
    assert of(shown, 'document.querySelector("tr:target th").textContent') == name


def test_a_screen_reader_finds_names_for_all_that_is_drawn(shown: Chrome) -> None:
    tree = shown.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    links = [node for node in tree if node.get("role", {}).get("value") in ("link", "SvgLink")]
    names = [node["name"]["value"] for node in links]
    assert any(name.startswith("stem: 4.00 ms, 40.0 %") for name in names), names
    assert all(names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_on_a_block_can_be_read(scheme: str, shown: Chrome) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    pairs = of(
        shown,
        '[...document.querySelectorAll("svg.flame text")].map(text => [getComputedStyle(text).fill,'
        " getComputedStyle(text.parentNode.querySelector('rect')).fill])",
    )
    assert len(pairs) > 3
    for text, block in pairs:
        assert contrast(text, block) >= 4.5, (text, block)


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2.1."""

    def luminance(color: str) -> float:
        parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_the_page_is_as_wide_as_the_screen(width: int, shown: Chrome) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 1000}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert of(shown, "document.documentElement.scrollWidth") <= width
    finally:
        shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_is_complained_of(shown: Chrome) -> None:
    assert shown.get_log("browser") == []


def test_labels_stay_on_their_blocks(shown: Chrome) -> None:
    beyond = of(
        shown,
        '[...document.querySelectorAll("svg.flame text")].map(text => text.getBBox().width + 3 -'
        ' text.parentNode.querySelector("rect").getBBox().width)',
    )
    assert beyond
    assert max(beyond) <= 3
