"""The README's example is the output of the quick start: figures of files to the byte, measured ones by their shape."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.command import edgecheck
from tools.terminal_picture import DARK, LIGHT, picture


@pytest.fixture(scope="module")
def quickstart(root: Path, example_models: Path) -> str:
    assert example_models.is_dir()
    done = edgecheck("check", cwd=root, COLUMNS="100")
    assert done.code == 0, done.out + done.err
    return done.out


def shape(text: str) -> list[str]:
    """Lines with one space between words, and of what passes only what the load of the machine does not change.

    Caveats (noise, a slow first run) come and go with the load; their codes take room from the names in their line.
    """
    return [_steady(re.sub(r" +", " ", line).strip()) for line in text.strip().splitlines()]


def _steady(line: str) -> str:
    brief = re.fullmatch(r"(✔ pass \S+ · \S+) · .*: (\w+ )(?:[\d.]+ \S+ ≤ [\d.]+ \S+, )?([\d.]+% room, static).*", line)
    return " ".join(brief.groups()) if brief else line


def test_the_example_is_the_quick_starts_output(root: Path, quickstart: str) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```console\n\$ make check\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 1
    assert shape(blocks[0]) == shape(quickstart)


def test_the_readme_stays_short(root: Path) -> None:
    assert len((root / "README.md").read_text(encoding="utf-8").splitlines()) < 90


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_picture_shows_the_example(name: str, root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert f"docs/pictures/report-{name}.svg" in readme
    (block,) = re.findall(r"```console\n(\$ make check\n.*?)```", readme, re.DOTALL)
    drawn = ET.parse(root / f"docs/pictures/report-{name}.svg").getroot()
    lines = ["".join(line.itertext()) for line in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert [re.sub(r"\s+", "", line) for line in lines] == [
        re.sub(r"\s+", "", line) for line in block.splitlines() if line.strip()
    ]


def test_a_picture_is_text_in_the_colours_of_the_terminal() -> None:
    light, dark = (picture("\x1b[32m✔ pass\x1b[0m  <net> & co\n\nEnd.\n", "make check", each) for each in (LIGHT, DARK))
    for text, colors in ((light, LIGHT), (dark, DARK)):
        drawn = ET.fromstring(text)
        spans = {span.text: span.get("fill") for span in drawn.iter("{http://www.w3.org/2000/svg}tspan")}
        assert spans == {"$ make check": None, "✔ pass": colors.by_name["green"], "  <net> & co": None, "End.": None}
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_the_example_that_fails_on_purpose_explains_itself(root: Path, quickstart: str) -> None:
    assert quickstart
    done = edgecheck("check", "examples/too-big.yaml", cwd=root)
    assert done.code == 1
    assert re.search(r"✘ fail  size +1\.56 MB  ≤ 1\.00 MB +56% over", done.out)
    assert re.search(r"! warn  ram_model", done.out)
    assert re.search(r"latency_p50: [\d,]+ of [\d,]+ inferences took over 1\.00 us", done.out)
    assert "Next: " in done.out
