"""`benchmarks/suites.py` sees an artifact that answers something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from benchmarks import suite_models, suite_onnx, suites
from tests.converters import onnx_models
from tests.converters.bench import requires

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = requires("onnxruntime")

ROWS = np.random.default_rng(0).normal(size=(suite_models.ROWS, 6)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return onnx_models.dense(tmp_path / "model.onnx", (6, 4))


def wanted(model: Path) -> NDArray[Any]:
    weights, bias = (onnx.numpy_helper.to_array(each) for each in onnx.load(model).graph.initializer)
    found: NDArray[Any] = ROWS @ weights.T + bias
    return found


def difference(model: Path, answers: NDArray[Any]) -> str:
    suite_models.keep(model.parent, [ROWS], [answers])
    return suite_models.difference(model, model.parent, "onnx")


def test_equal_answers_are_no_difference(model: Path) -> None:
    assert difference(model, wanted(model)) == ""


def test_other_numbers_are_a_difference(model: Path) -> None:
    answers = wanted(model)
    answers[::10] += 0.01 * np.abs(answers).max()
    assert difference(model, answers).startswith("output 0: off by 0.0")
    assert "shape [96, 4] instead of [96, 3]" in difference(model, answers[:, :3])


def test_other_labels_are_a_difference(model: Path) -> None:
    labels = np.rint(wanted(model)).astype(np.int64)
    assert difference(model, labels) == ""
    labels[::10] += 1
    assert "of the labels differ" in difference(model, labels)


def test_a_weight_that_is_not_listed_would_be_seen(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert suite_onnx.read_as_onnx_does(model) == ("converted", "")
    real = onnx.load(model)
    real.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((3, 2), np.float32), "more"))
    monkeypatch.setattr(onnx, "load", lambda _: real)
    assert suite_onnx.read_as_onnx_does(model) == ("wrong", "does not list float32 [3, 2]")


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    names = [str(number) for number in range(50)]
    once = suites.sampled(names, 5, 1)
    assert len(once) == 5
    assert once == suites.sampled(names, 5, 1) != suites.sampled(names, 5, 2)
    assert suites.sampled(names, 0, 1) == names


def test_the_table_counts_outcomes() -> None:
    kinds = ("converted", "converted", "refused", "wrong", "not made")
    outcomes = [suites.Outcome(str(at), kind, seconds=0.5) for at, kind in enumerate(kinds)]
    assert suites.table({"layers": outcomes}).splitlines()[-1] == "| layers | 4 | 2 | 1 | 0 | 1 | 3 |"
