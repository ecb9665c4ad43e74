"""The anatomy on a terminal, and the words that every format of it shares (`size.words`).

Covers `cli/size.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from examples.real_models import fetch
from tests.cli.command import edgecheck
from tests.reports.size.models import hostile, noise, plain, save

MODELS = ("mtcnn_onet.onnx", "emotion.hdf5", "hey_jarvis.tflite", "facenet_onet.pt", "profanity_vectorizer.joblib")
GROUPINGS = ("layer", "prefix", "operator", "dtype", "role", "tensor", "file")
#: Bytes and share, and a name or `total`.
ROW = re.compile(r" *(-?[\d,]+) +(?:< )?[\d.]+ %  (?:.*\S)")


def numbers(text: str) -> list[int]:
    """The first column of the table, its sum last."""
    return [int(match[1].replace(",", "")) for line in text.splitlines() if (match := ROW.fullmatch(line))]


def test_a_model_in_a_table(tmp_path: Path) -> None:
    done = edgecheck("size", plain(tmp_path / "net.onnx"), cwd=tmp_path, COLUMNS="100")
    assert (done.code, done.err) == (0, "")
    table, _, rest = done.out.partition("\nWhat would make it smaller\n")
    assert table == GOLDEN
    assert re.search(r"^  int8     11.0 kB, 71 % of the file  int8 weights take a byte each", rest, re.MULTILINE)
    assert re.search(r"^  gzip     3.\d+ kB less to download   gzip removes 2\d % of", rest, re.MULTILINE)
    assert "  The widest is encoder/dense: 64 x 40 of float32, 67 % of all weights." in rest


@pytest.mark.parametrize("by", GROUPINGS)
@pytest.mark.parametrize("model", MODELS)
def test_the_rows_sum_to_the_file(model: str, by: str, tmp_path: Path) -> None:
    path = fetch(model)
    done = edgecheck("size", path, "--by", by, "--top", "7", "--quick", cwd=tmp_path, COLUMNS="160")
    assert done.code == 0, done.err
    *rows, total = numbers(done.out)
    assert len(rows) <= 8
    assert sum(rows) == total == path.stat().st_size


def test_a_depth_makes_prefixes_of_layers(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", {f"backbone/block_{n}/conv.weight": noise(9, n) for n in range(3)})
    done = edgecheck("size", path, "--depth", "1", "--quick", cwd=tmp_path)
    assert re.search(r"^ *6,912 +[\d.]+ %  backbone +float32", done.out, re.MULTILINE)
    refused = edgecheck("size", path, "--by", "operator", "--depth", "2", cwd=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "--depth has no meaning with --by operator." in refused.err


def test_quick_reads_no_weights_and_says_so(tmp_path: Path) -> None:
    done = edgecheck("size", plain(tmp_path / "net.onnx"), "--quick", cwd=tmp_path)
    assert "The weights were not read" in done.out
    assert "zeros" not in done.out.splitlines()[2]
    assert "gzip     " not in done.out


def test_weights_that_are_made_on_loading_come_first(tmp_path: Path) -> None:
    done = edgecheck("size", fetch("light_vgg19.onnx"), "--top", "3", cwd=tmp_path)
    assert "in memory" in done.out
    assert re.search(r"^ *32 +0.3 %  411,058,200  fc6", done.out, re.MULTILINE)


@pytest.mark.parametrize("width", [40, 60, 100])
def test_no_line_is_wider_than_the_terminal(width: int, tmp_path: Path) -> None:
    old = plain(tmp_path / "old.onnx")
    done = edgecheck("size", hostile(tmp_path / "net.onnx"), "--against", old, cwd=tmp_path, COLUMNS=str(width))
    assert done.code == 0, done.err
    for line in done.out.splitlines():
        assert cell_len(line) <= width, line


def test_a_hostile_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    for extra in ([], ["--format", "json"], ["--format", "markdown"]):
        done = edgecheck("size", hostile(tmp_path / "net.onnx"), "--top", "0", *extra, cwd=tmp_path)
        assert done.code == 0, done.err
        assert not set(done.out) & set(map(chr, (*range(10), *range(11, 32), *range(127, 160), 0x202E)))
    assert "[red]rich[/red]" in edgecheck("size", tmp_path / "net.onnx", "--top", "0", cwd=tmp_path).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.onnx"], "missing.onnx does not exist."),
        (["net.onnx", "--against", "missing.onnx"], "missing.onnx does not exist."),
        (["net.onnx", "--format", "json", "--format", "markdown"], "Two formats cannot both go to stdout."),
        (["net.onnx", "--format", "json=nowhere/a.json"], "The folder of nowhere/a.json does not exist."),
        (["net.onnx", "--format", "pdf"], "unknown format 'pdf'; choose from terminal, json, markdown, html."),
        (["notes.txt"], "notes.txt"),
        (["cut.onnx"], "cut.onnx is damaged"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    content = plain(tmp_path / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    (tmp_path / "notes.txt").write_text("no model\n", encoding="utf-8")
    done = edgecheck("size", *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


GOLDEN = """\
net.onnx · onnx · 15.6 kB · 3,840 parameters

 bytes    share  layer                   type     shape     zeros
10,240   65.7 %  encoder/dense           float32  64 x 40   0.0 %
 5,120   32.8 %  decoder/dense           float32  64 x 20  50.0 %
    78    0.5 %  (nodes)
    68    0.4 %  (tensor records)
    65    0.4 %  (inputs and outputs)
    16    0.1 %  (model record)
     6  < 0.1 %  (producer and version)
15,593  100.0 %  total
tensors 15,360 + structure 227 + metadata 6 + padding 0 = 15,593 bytes
"""
