"""`edgecheck sweep` on real models: a factory, files, pruning, and agreement with a given model.

Also covers `converters/built.py` and `converters/agreement.py` in part.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper

from edgecheck.cli.commands import cli
from edgecheck.errors import UsageError
from tests.converters.bench import requires

pytestmark = pytest.mark.convert

FACTORY = """
import numpy
from onnx import TensorProto, helper, numpy_helper

def build(width):
    if width == "none":
        return None
    weights = numpy.ones((4, width), "float32")
    sizes = (("x", 4), ("y", width))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size]) for name, size in sizes]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:],
                              [numpy_helper.from_array(weights, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a factory, a teacher and two students, and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "lessons.py").write_text(FACTORY, encoding="utf-8")
    random = np.random.default_rng(0)
    weights = random.normal(size=(16, 8)).astype(np.float32)
    for name, noise in (("teacher", 0.0), ("student_1", 0.01), ("student_2", 2.0)):
        noisy = weights + noise * random.normal(size=weights.shape).astype(np.float32)
        ends = [helper.make_tensor_value_info(end, 1, [None, size]) for end, size in (("x", 16), ("y", 8))]
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(noisy, "w")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / f"{name}.onnx")
    return tmp_path


def swept(*argv: str) -> list[dict[str, str]]:
    """The rows of the CSV that the command prints."""
    done = CliRunner().invoke(cli, ["sweep", *argv, "--format", "csv"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(done.stdout.splitlines()))


@requires("onnx")
def test_a_factory_is_called_with_each_value_once_it_is_trusted(here: Path) -> None:
    argv = ["--factory", "lessons:build", "--values", "8,2", "--factor", "width"]
    refused = CliRunner().invoke(cli, ["sweep", *argv])
    assert type(refused.exception).__name__ == "ConversionError"
    assert "is your own code and would be executed" in str(refused.exception)
    rows = swept(*argv, "--trust", "-o", "built")
    assert [(row["width"], row["params"], row["zeros"]) for row in rows] == [("2", "8", "0"), ("8", "32", "0")]
    sizes = {str((here / "built" / row["model"]).stat().st_size) for row in rows}
    assert sizes == {row["size_bytes"] for row in rows}


@requires("onnx")
def test_models_that_cannot_be_kept_are_a_usage_error(here: Path) -> None:
    """Known before the factory is asked for, where the folder shows it."""
    argv = ["sweep", "--factory", "lessons:build", "--values", "8"]
    (here / "built").touch()
    early = CliRunner().invoke(cli, [*argv, "-o", "built"]).exception
    (here / "kept" / "build_8.onnx").mkdir(parents=True)
    late = CliRunner().invoke(cli, [*argv, "--trust", "-o", "kept"]).exception
    for error, said in ((early, "built cannot be written to: Not a"), (late, "kept cannot be written to: Is a")):
        assert isinstance(error, UsageError)
        assert error.message == f"{said} directory."
        assert error.hint == "Name another folder: -o FOLDER"


@requires("onnx")
def test_a_factory_that_returns_nothing_is_named(here: Path) -> None:
    del here
    argv = ["--factory", "lessons:build", "--values", "none", "--trust"]
    done = CliRunner().invoke(cli, ["sweep", *argv])
    assert "The factory lessons:build returned nothing for 'none'" in str(done.exception)


@requires("onnx", "onnxruntime")
def test_files_agree_with_the_reference_as_their_outputs_do(here: Path) -> None:
    samples = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32)
    np.savez(here / "x.npz", x=samples)
    rows = swept(
        str(here / "student_[12].onnx"), "--reference", "teacher.onnx", "--samples", "x.npz", "--factor", "student"
    )
    weights = {
        name: numpy_helper.to_array(onnx.load(here / f"{name}.onnx").graph.initializer[0])
        for name in ("teacher", "student_1", "student_2")
    }
    wanted = samples @ weights["teacher"]
    for row in rows:
        found = samples @ weights[row["model"].partition(".")[0]]
        cosine = np.sum(wanted * found, 1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(found, axis=1)
        assert float(row["top1"]) == pytest.approx(np.mean(wanted.argmax(1) == found.argmax(1)))
        assert float(row["agreement"]) <= float(cosine.min()) + 1e-5
    assert [row["student"] for row in rows] == ["1", "2"]
    assert float(rows[0]["agreement"]) > 0.999 > float(rows[1]["agreement"])


@requires("onnx", "onnxruntime")
def test_shares_of_pruning_are_zeros_that_only_gzip_saves(here: Path) -> None:
    del here
    rows = swept("teacher.onnx", "--prune", "0,0.5")
    assert [float(row["zeros"]) for row in rows] == [0, 0.5]
    assert rows[0]["size_bytes"] == rows[1]["size_bytes"]
    assert int(rows[1]["download_bytes"]) < int(rows[0]["download_bytes"])
    assert float(rows[1]["agreement"]) < float(rows[0]["agreement"]) == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "Give models, or one model"),
        (["a.onnx", "--factory", "a:b", "--values", "1"], "Give models, or one model"),
        (["--factory", "a:b"], "Give models, or one model"),
        (["a.onnx", "--prune", "0.5", "--variants", "int8"], "Give models, or one model"),
        (["a.onnx", "b.onnx", "--prune", "0.5"], "vary one model"),
        (["a.onnx", "--prune", "1"], "is not a list of shares"),
        (["a.onnx", "--prune", "nan"], "is not a list of shares"),
        (["a.onnx", "--variants", "int4"], "Unknown variant 'int4'"),
    ],
)
def test_wrong_usage_is_explained(argv: list[str], said: str) -> None:
    assert said in str(CliRunner().invoke(cli, ["sweep", *argv]).exception)
