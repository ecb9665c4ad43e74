"""The tutorial on what makes a model large: its commands are run, and the tables must be those on the page."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.converters.bench import requires
from tests.converters.kept import kept

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorials" / "what-makes-a-model-large.md"

pytestmark = [
    pytest.mark.convert,
    pytest.mark.xdist_group("what makes large"),
    requires("tensorflow", "sklearn", "skl2onnx", "onnxruntime"),
]

#: What figures may differ by: archives hold dates, zlib has versions, processors and libraries round differently.
_BYTES, _DOWNLOAD, _ZEROS = 64, 0.03, 2.0

#: The command of each section, and the table below it.
SECTIONS = re.findall(
    r"```sh\n(edgecheck sweep [^\n]*)\n```\n\n```\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models are; conversions are kept from run to run."""
    return tmp_path_factory.mktemp("large")


def test_every_section_has_a_command_and_a_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(SECTIONS) == text.count("```sh") == 11


@pytest.mark.parametrize(("command", "table"), SECTIONS, ids=[str(at) for at in range(1, len(SECTIONS) + 1)])
def test_the_table_is_what_the_command_prints(command: str, table: str, folder: Path) -> None:
    argv = [each.replace("build", str(folder / "build"), 1) for each in shlex.split(command)[1:]]
    done = subprocess.run(
        [sys.executable, "-m", "edgecheck", *argv, "--format", "csv"],
        check=False, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(kept() / "large")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    heading, *lines = (line.split() for line in table.splitlines())
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert len(rows) == len(lines) > 1
    for line, row in zip(lines, rows, strict=True):
        told = dict(zip(heading, line, strict=True))
        assert told[heading[0]] == row[heading[0]]
        assert told["params"].replace(",", "") == row["params"]
        assert int(told["size"].replace(",", "")) == pytest.approx(int(row["size_bytes"]), abs=_BYTES)
        assert int(told["download"].replace(",", "")) == pytest.approx(int(row["download_bytes"]), rel=_DOWNLOAD)
        assert float(told["zeros"].rstrip("%")) == pytest.approx(100 * float(row["zeros"]), abs=_ZEROS)
