"""Random inputs of an `.onnx` model have the rows of its tables, its categories and its thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgecheck.converters.interface import Request
from edgecheck.converters.samples import SEEDED_ROWS, feeds
from edgecheck.converters.sources.onnx_runner import ports_of


def drawn(
    nodes: list[NodeProto], port: tuple[str, int, list[object]], constants: Mapping[str, object] | None = None
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """The random values of the only input of a graph."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*port)], [], tensors)
    request = Request(model=Path(), source="onnx", format="onnx", variant="int8")
    fed = feeds(ports_of(helper.make_model(graph)), request)
    assert fed.seeded
    return np.concatenate([each[port[0]] for each in fed.each])


def test_ids_are_rows_of_the_smallest_table_behind_them() -> None:
    nodes = [
        helper.make_node("Cast", ["ids"], ["i"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["i", "axes"], ["u"]),
        helper.make_node("Gather", ["words", "i"], ["a"]),
        helper.make_node("Gather", ["kinds", "u"], ["b"], axis=1),
    ]
    tables = {"words": np.zeros((500, 4), np.float32), "kinds": np.zeros((2, 40), np.float32), "axes": np.array([0])}
    found = drawn(nodes, ("ids", TensorProto.INT32, [1, 12]), tables)
    assert found.dtype == np.int32
    assert found.min() >= 0
    assert 30 < found.max() < 40


def test_rows_lie_on_both_sides_of_the_thresholds_of_trees_behind_a_scaler() -> None:
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["s"],
        ["y"],
        domain="ai.onnx.ml",
        nodes_featureids=[1, 0, 0],
        nodes_values=[2.0, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_missing_value_tracks_true=[1, 0, 0],
    )
    scaler = helper.make_node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.0, 100.0], scale=[1.0, 0.1])
    found = drawn([scaler, tree], ("x", TensorProto.FLOAT, ["n", 2]))
    assert len(found) == SEEDED_ROWS
    assert np.isnan(found).any(), "the tree says where missing values go"
    column = found[:, 1][~np.isnan(found[:, 1])]
    assert np.median(np.abs(column - 120)) < 5
    assert column.min() < 120 < column.max()


def test_texts_and_numbers_are_the_categories_of_encoders() -> None:
    texts = helper.make_node("OneHotEncoder", ["x"], ["y"], domain="ai.onnx.ml", cats_strings=["cat", "dog"])
    assert set(drawn([texts], ("x", TensorProto.STRING, [1, 3])).ravel()) == {"cat", "dog"}
    codes = helper.make_node(
        "LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_int64s=[7, 9], values_int64s=[0, 1]
    )
    assert set(drawn([codes], ("x", TensorProto.INT64, [1, 3])).ravel()) == {7, 9}


def test_other_inputs_stay_as_they_were() -> None:
    found = drawn([helper.make_node("Relu", ["x"], ["y"])], ("x", TensorProto.FLOAT, [1, 3]))
    assert found.min() >= 0
    assert found.max() < 1
    assert onnx.__version__
