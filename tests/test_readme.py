"""The README's example is the output of the quick start: figures of files to the byte, measured ones by their shape."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import edgecheck


@pytest.fixture(scope="module")
def quickstart(root: Path, example_models: Path) -> str:
    assert example_models.is_dir()
    done = edgecheck("check", cwd=root, COLUMNS="100")
    assert done.code == 0, done.out + done.err
    return done.out


def shape(text: str) -> list[str]:
    """Lines with one space between words, `#` for each measured figure, and without caveats.

    Caveats (noise, a slow first run) depend on the load of the machine; each begins on its own line.
    """
    paragraphs = [
        [_masked(re.sub(r" +", " ", line).strip()) for line in paragraph.splitlines()]
        for paragraph in text.strip().split("\n\n")
    ]
    return [line for paragraph in paragraphs for line in _without_caveats(paragraph)]


def _without_caveats(lines: list[str]) -> list[str]:
    first = next(
        (at for at, line in enumerate(lines) if re.match(r"(contended|noisy|slow-first-run|drift|outliers): ", line)),
        None,
    )
    return lines[:first]


def _masked(line: str) -> str:
    line = re.sub(r"this machine \(.*\) on", "this machine (#) on", line)
    if "measured" not in line:
        return line
    line = re.sub(r"(\w+) [\d.]+ [a-zA-Zµ]+( ≤|,|$)", r"\1 #\2", line)
    return re.sub(r"[\d.]+% room", "# room", line)


def test_the_example_is_the_quick_starts_output(root: Path, quickstart: str) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```console\n\$ make check\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 1
    assert shape(blocks[0]) == shape(quickstart)


def test_the_readme_stays_short(root: Path) -> None:
    assert len((root / "README.md").read_text(encoding="utf-8").splitlines()) < 140


def test_the_example_that_fails_on_purpose_explains_itself(root: Path, quickstart: str) -> None:
    assert quickstart
    done = edgecheck("check", "examples/too-big.yaml", cwd=root)
    assert done.code == 1
    assert re.search(r"✘ fail  size +1\.56 MB  ≤ 1\.00 MB +56% over", done.out)
    assert re.search(r"! warn  ram_model", done.out)
    assert re.search(r"latency_p50: [\d,]+ of [\d,]+ inferences took over 1\.00 us", done.out)
    assert "Next: " in done.out
