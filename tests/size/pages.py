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
    """The HTML report on `model`, beside it."""
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
        """The texts of the tiles that plotly has drawn."""
        found = self.run("return [...document.querySelectorAll('#plot .slicetext')].map(text => text.textContent)")
        return [str(text) for text in found]

    def requests(self) -> list[str]:
        """Every address that the page has asked for since it was opened."""
        log = self.browser.get_log("performance")
        messages = [json.loads(entry["message"])["message"] for entry in log]
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
