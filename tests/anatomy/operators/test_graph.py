"""The operators of files, with their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.anatomy.operators.graph import operators_of
from edgecheck.errors import ModelError
from tests.agent.small_models import model, one_operator, save, value

if TYPE_CHECKING:
    from pathlib import Path

FLOAT = TensorProto.FLOAT


def test_onnx_nodes_with_the_shapes_of_what_is_stored(tmp_path: Path) -> None:
    weights = {"w": np.zeros((4, 8), dtype=np.float32)}
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros((1, 8), np.float32)))
    nodes = [
        constant,
        helper.make_node("Identity", ["w"], ["v"], name="folded"),
        helper.make_node("MatMul", ["x", "v"], ["h"], name="dense"),
        helper.make_node("Add", ["h", "c"], ["y"]),
    ]
    whole = model(nodes, [value("x", FLOAT, [1, 4])], [value("y", FLOAT, [1, 8])], weights=weights)
    folded, dense, add = operators_of(save(tmp_path / "m.onnx", whole))
    assert folded.is_constant
    assert (dense.name, dense.type, dense.place) == ("dense", "MatMul", 1)
    assert [(each.key, each.shape, each.stored) for each in dense.inputs] == [("x", None, False), ("v", (4, 8), True)]
    assert (add.name, add.inputs[1].shape) == ("y", (1, 8))


def test_tflite_operators_with_types_and_shapes(tmp_path: Path) -> None:
    (one,) = operators_of(one_operator(tmp_path / "abs.tflite", 101))
    assert (one.name, one.type, one.graph, one.place) == ("y", "ABS", 0, 0)
    assert [(each.name, each.shape, each.bytes, each.stored) for each in one.inputs] == [("x", (1,), 4, False)]


def test_of_another_format_there_are_none(tmp_path: Path) -> None:
    place = tmp_path / "net.onnx"
    place.write_bytes(b"not a model")
    with pytest.raises(ModelError):
        operators_of(place)
