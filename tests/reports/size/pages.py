"""An HTML report in a browser, and what a person does with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.cli.command import edgecheck

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

_READY_SECONDS = 60


def written(model: Path, *arguments: str) -> Path:
    """The HTML report on `model`, next to it."""
    place = model.with_suffix(".html")
    done = edgecheck("size", model, *arguments, "--format", f"html={place}", cwd=model.parent)
    assert (done.code, done.out, done.err) == (0, "", "")
    return place


@dataclass(frozen=True, slots=True)
class Page:
    """The page that is open."""

    browser: Chrome

    def open(self, place: Path) -> None:
        """Load a report and wait until its treemap is drawn."""
        from selenium.webdriver.support.wait import WebDriverWait

        self.browser.get_log("performance")
        self.browser.get(place.as_uri())
        ready = "return document.documentElement.dataset.ready"
        WebDriverWait(self.browser, _READY_SECONDS).until(lambda _: self.run(ready))

    def run(self, script: str, *arguments: object) -> Any:
        """What a script in the page returns."""
        return self.browser.execute_script(script, *arguments)

    def one(self, selector: str) -> WebElement:
        """The first element that a selector finds."""
        return self.browser.find_element("css selector", selector)

    def all(self, selector: str) -> list[WebElement]:
        """All elements that a selector finds."""
        return list(self.browser.find_elements("css selector", selector))

    def press(self, *keys: str) -> None:
        """Keys, one after the other, to whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    @property
    def status(self) -> str:
        """What a screen reader says of the treemap."""
        return str(self.one("#status").text)

    @property
    def path(self) -> list[str]:
        """The tiles that lead to the one that is open."""
        return [each.text for each in self.all("#path button")]

    def names(self) -> list[str]:
        """The first column of the rows that are shown."""
        script = "return [...document.querySelectorAll('#rows tbody tr:not([hidden]) th')].map(th => th.textContent)"
        return [str(name) for name in self.run(script)]

    def tiles(self) -> list[str]:
        """The words written on the tiles, an outer one before those inside it."""
        found = self.run("return [...document.querySelectorAll('.tiles text')].map(text => text.textContent)")
        return [str(text) for text in found]

    def tile(self, words: str) -> WebElement:
        """The rectangle of the tile that bears these words."""
        script = (
            "return [...document.querySelectorAll('.tiles g')].find(g => g.textContent === arguments[0]).firstChild"
        )
        found: WebElement = self.run(script, words)
        return found

    def click(self, words: str) -> None:
        """Click at the top left of the tile that bears these words, where no tile inside it is."""
        from selenium.webdriver import ActionChains

        tile = self.tile(words)
        self.run("document.getElementById('map-section').scrollIntoView()")
        left, top = -tile.size["width"] // 2 + 4, -tile.size["height"] // 2 + 4
        ActionChains(self.browser).move_to_element_with_offset(tile, left, top).click().perform()

    def chosen(self) -> str:
        """The words of the tile with the outline; empty without one."""
        script = """
            const at = (rect) => ["x", "y", "width", "height"].map((name) => rect.getAttribute(name)).join();
            const outline = document.querySelector(".tiles .chosen");
            return outline && [...document.querySelectorAll(".tiles g")]
                .find((g) => at(g.firstChild) === at(outline)).textContent;
        """
        return str(self.run(script) or "")

    def requests(self) -> list[str]:
        """Every address that the page has asked for since it was opened."""
        log = self.browser.get_log("performance")
        messages = [json.loads(entry["message"])["message"] for entry in log]
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
