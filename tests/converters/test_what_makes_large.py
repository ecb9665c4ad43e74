"""The tutorial on what makes a model large: what its commands print must be the tables on the page.

They run when code changes.
"""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest

from tests.converters.bench import requires
from tests.converters.kept import lessons, printed

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


def test_every_section_has_a_command_and_a_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(SECTIONS) == text.count("```sh") == 11


@pytest.mark.parametrize(("command", "table"), SECTIONS, ids=[str(at) for at in range(1, len(SECTIONS) + 1)])
def test_the_table_is_what_the_command_prints(command: str, table: str) -> None:
    argv = [each.replace("build", str(lessons() / "build"), 1) for each in shlex.split(command)[1:]]
    said = printed("-m", "edgecheck", *argv, "--format", "csv")
    heading, *lines = (line.split() for line in table.splitlines())
    rows = list(csv.DictReader(said.splitlines()))
    assert len(rows) == len(lines) > 1
    for line, row in zip(lines, rows, strict=True):
        told = dict(zip(heading, line, strict=True))
        assert told[heading[0]] == row[heading[0]]
        assert told["params"].replace(",", "") == row["params"]
        assert int(told["size"].replace(",", "")) == pytest.approx(int(row["size_bytes"]), abs=_BYTES)
        assert int(told["download"].replace(",", "")) == pytest.approx(int(row["download_bytes"]), rel=_DOWNLOAD)
        assert float(told["zeros"].rstrip("%")) == pytest.approx(100 * float(row["zeros"]), abs=_ZEROS)
