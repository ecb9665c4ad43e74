"""What `edgecheck size` says about models that the Edge TPU compiler has made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.anatomy.edgetpu_models import COMPILED, save
from tests.cli.command import edgecheck
from tests.reports.size.test_json_report import size

SOURCE = ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "RESHAPE", "SOFTMAX")
COMPARED = (
    "4 of 5 operators run on the Edge TPU (80.0 %), in 1 part of the graph, compared with net.tflite.",
    "1 operator stays on the CPU: SOFTMAX.",
)


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    return save(tmp_path / "net_edgetpu.tflite", (COMPILED, "SOFTMAX"))


def lines(out: str) -> list[str]:
    """What the terminal says below the heading."""
    below = out.split("On the Edge TPU\n")[1].split("\n\n", maxsplit=1)[0]
    return [line.strip() for line in below.splitlines()]


def test_the_model_before_compiling_is_found_next_to_it(compiled: Path, tmp_path: Path) -> None:
    save(tmp_path / "net.tflite", SOURCE)
    done = edgecheck("size", compiled.name, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert lines(done.out) == list(COMPARED)


def test_it_may_be_the_one_to_compare_with(compiled: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    before = save(tmp_path / "elsewhere" / "net.tflite", SOURCE)
    done = edgecheck("size", compiled.name, "--against", before, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert lines(done.out) == list(COMPARED)


def test_without_it_the_report_says_what_is_left_and_what_to_give(compiled: Path, tmp_path: Path) -> None:
    done = edgecheck("size", compiled.name, cwd=tmp_path)
    assert " ".join(lines(done.out)) == (
        "1 part of the graph runs on the Edge TPU. 1 operator stays on the CPU: SOFTMAX. How many operators were taken "
        "is not in the file: put the model it was compiled from next to it, or give --against MODEL.tflite."
    )


def test_another_model_of_that_name_is_a_doubt(compiled: Path, tmp_path: Path) -> None:
    save(tmp_path / "net.tflite", ("CONV_2D", "RESHAPE"))
    said = " ".join(lines(edgecheck("size", compiled.name, cwd=tmp_path).out))
    assert "net.tflite is not the model it was compiled from: it has fewer SOFTMAX than are left on the CPU." in said
    (tmp_path / "net.tflite").write_text("<html>not found</html>")
    assert "How many operators were taken is not in the file" in edgecheck("size", compiled.name, cwd=tmp_path).out


def test_a_model_wholly_on_the_tpu_needs_no_other(tmp_path: Path) -> None:
    save(tmp_path / "all.tflite", (COMPILED,))
    done = edgecheck("size", "all.tflite", cwd=tmp_path)
    assert lines(done.out) == ["Every operator runs on the Edge TPU (100.0 %), in 1 part of the graph."]


def test_markdown_and_html_say_the_same(compiled: Path, tmp_path: Path) -> None:
    save(tmp_path / "net.tflite", SOURCE)
    markdown = edgecheck("size", compiled.name, "--format", "markdown", cwd=tmp_path)
    assert "4 of 5 operators run on the Edge TPU" in markdown.out
    assert edgecheck("size", compiled.name, "--format", "html=size.html", cwd=tmp_path).code == 0
    assert f"<li>{COMPARED[1]}</li>" in (tmp_path / "size.html").read_text(encoding="utf-8")


def test_json_has_the_counts_by_type(compiled: Path, tmp_path: Path) -> None:
    before = save(tmp_path / "net.tflite", SOURCE)
    assert size(compiled, cwd=tmp_path)["edge_tpu"] == {
        "parts": 1,
        "on_cpu": {"SOFTMAX": 1},
        "on_tpu": {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 1, "RESHAPE": 1},
        "source": str(before),
        "doubt": "",
        "share": 0.8,
    }
    assert size(before, cwd=tmp_path)["edge_tpu"] is None
