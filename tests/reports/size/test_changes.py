"""What grew from an older model, in every format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from examples.real_models import fetch
from tests.cli.command import edgecheck
from tests.reports.size.models import noise, plain, save

#: A change, a relative change or none, and the old and the new bytes.
ROW = re.compile(r" *([+-][\d,]+|0) +(?:[+-][\d.]+ %|new|gone|0 %)? +([\d,]+) +([\d,]+) .*")


def table(text: str) -> list[tuple[int, int, int]]:
    rows = [match for line in text.splitlines() if (match := ROW.fullmatch(line))]
    return [
        (int(a.replace(",", "")), int(b.replace(",", "")), int(c.replace(",", ""))) for a, b, c in map(_groups, rows)
    ]


def _groups(match: re.Match[str]) -> tuple[str, str, str]:
    return match[1], match[2], match[3]


@pytest.mark.parametrize("by", ["layer", "prefix", "operator", "dtype"])
def test_what_grew_sums_to_the_difference(by: str, tmp_path: Path) -> None:
    new, old = fetch("mtcnn_onet.onnx"), fetch("mtcnn_rnet.onnx")
    done = edgecheck("size", new, "--against", old, "--by", by, "--top", "4", "--quick", cwd=tmp_path, COLUMNS="160")
    assert done.code == 0, done.err
    *rows, total = table(done.out)
    sizes = old.stat().st_size, new.stat().st_size
    assert total == (sizes[1] - sizes[0], *sizes)
    assert sum(row[0] for row in rows) == total[0]
    assert all(row[0] == row[2] - row[1] for row in rows)


def test_each_change_has_its_word(tmp_path: Path) -> None:
    old = save(tmp_path / "old.onnx", {"a/w.weight": noise(9), "b/w.weight": noise(9, 1), "c/w.weight": noise(9, 2)})
    new = save(tmp_path / "new.onnx", {"a/w.weight": noise(12), "z/w.weight": noise(9, 1), "d/w.weight": noise(3, 3)})
    done = edgecheck("size", new, "--against", old, "--quick", cwd=tmp_path, COLUMNS="160")
    assert re.search(r"^ *\+768 +\+33.3 % +2,304 +3,072  grew +a/w +64x9 → 64x12$", done.out, re.MULTILINE)
    assert re.search(r"^ *-2,304 +gone +2,304 +0  vanished  c/w$", done.out, re.MULTILINE)
    assert re.search(r"^ *\+768 +new +0 +768  appeared  d/w$", done.out, re.MULTILINE)
    assert "b/w" not in done.out
    assert "under a new name." in done.out


def test_a_model_against_itself(tmp_path: Path) -> None:
    path = plain(tmp_path / "net.onnx")
    done = edgecheck("size", path, "--against", path, cwd=tmp_path)
    size = f"{path.stat().st_size:,}"
    assert f"net.onnx against net.onnx: {size} bytes, as before." in done.out


def test_json_has_every_change_to_the_byte(tmp_path: Path) -> None:
    new, old = fetch("nmp_saved_model"), fetch("nmp.onnx")
    done = edgecheck("size", new, "--against", old, "--quick", "--format", "json", cwd=tmp_path)
    found: dict[str, Any] = json.loads(done.out)["against"]
    assert found["size"] == old.stat().st_size
    assert sum(change["delta"] for change in found["changes"]) == found["delta"]
    assert all(change["delta"] == change["new"] - change["old"] for change in found["changes"])


def test_a_change_in_markdown_comes_first_and_the_rest_is_folded(tmp_path: Path) -> None:
    old, new = plain(tmp_path / "old.onnx"), save(tmp_path / "new_net.onnx", {"encoder/dense.weight": noise(30)})
    done = edgecheck("size", new, "--against", old, "--quick", "--format", "markdown", cwd=tmp_path)
    lines = done.out.splitlines()
    assert lines[0] == "<!-- edgecheck size -->"
    assert lines[1].startswith("### new\\_net.onnx against old.onnx: ")
    assert "| -5,120 | gone | vanished | `decoder/dense` |  |" in lines
    assert done.out.index("vanished") < done.out.index("<details><summary>Where the bytes are: tensors 7,680 + ")
