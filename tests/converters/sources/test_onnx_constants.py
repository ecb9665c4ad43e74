"""Weights that a model transposes, cuts, scales or keeps in a branch are seen, and computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgecheck.converters.sources import onnx_file

W = np.random.default_rng(0).standard_normal((64, 32)).astype(np.float32)
PRODUCT = helper.make_node("MatMul", ["x", "t"], ["y"])

#: By name: the nodes in front of the product, and the constants.
BEFORE: dict[str, tuple[list[NodeProto], dict[str, object]]] = {
    "transpose": ([helper.make_node("Transpose", ["w"], ["t"])], {"w": W.T}),
    "reshape": ([helper.make_node("Reshape", ["w", "s"], ["t"])], {"w": W.reshape(-1), "s": np.array([64, 32])}),
    "twice": (
        [helper.make_node("Identity", ["w"], ["i"]), helper.make_node("Transpose", ["i"], ["t"])],
        {"w": W.T},
    ),
    "squeeze": ([helper.make_node("Squeeze", ["w", "a"], ["t"])], {"w": W[None], "a": np.array([0])}),
    "cast": ([helper.make_node("Cast", ["w"], ["t"], to=1)], {"w": W.astype(np.float64)}),
    "scaled": ([helper.make_node("Mul", ["w", "k"], ["t"])], {"w": W, "k": np.array(0.5, np.float32)}),
    "joined": (
        [
            helper.make_node("Split", ["w"], ["a", "b"], axis=1, num_outputs=2),
            helper.make_node("Concat", ["b", "a"], ["t"], axis=1),
        ],
        {"w": W},
    ),
    "floats": (
        [
            helper.make_node("Constant", [], ["w"], value_floats=W.reshape(-1).tolist()),
            helper.make_node("Reshape", ["w", "s"], ["t"]),
        ],
        {"s": np.array([64, 32])},
    ),
}


def written(path: Path, nodes: list[NodeProto], constants: dict[str, object]) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 32])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


@pytest.mark.parametrize("name", BEFORE)
def test_what_a_model_makes_of_a_weight_is_the_weight(name: str, tmp_path: Path) -> None:
    nodes, constants = BEFORE[name]
    path = written(tmp_path / "m.onnx", [*nodes, PRODUCT], constants)
    opened = onnx_file.load(path)
    found = onnx_file.float_weights(opened.model, "m.onnx")
    assert [tuple(each.dims) for each in found.values()] == [(64, 32)]
    x = {"x": np.ones((1, 64), np.float32)}
    before, after = (ReferenceEvaluator(each).run(None, x)[0] for each in (onnx.load(path), opened.model))
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_a_weight_that_is_also_used_as_it_is_stays_one(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Transpose", ["w"], ["t"]),
        helper.make_node("MatMul", ["h", "t"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    opened = onnx_file.load(written(tmp_path / "tied.onnx", nodes, {"w": W}))
    assert [each.name for each in opened.model.graph.initializer] == ["w"]


def test_a_quantised_weight_is_not_unpacked(tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["w"], ["t"], to=1)
    opened = onnx_file.load(written(tmp_path / "int8.onnx", [cast, PRODUCT], {"w": np.ones((64, 32), np.int8)}))
    assert [node.op_type for node in opened.model.graph.node] == ["Cast", "MatMul"]


def test_weights_in_branches_are_seen(tmp_path: Path) -> None:
    def branch(name: str, weights: list[TensorProto]) -> onnx.GraphProto:
        end = helper.make_tensor_value_info(f"y_{name}", TensorProto.FLOAT, [1, 32])
        return helper.make_graph([helper.make_node("MatMul", ["x", name], [end.name])], name, [], [end], weights)

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Greater", ["s", "zero"], ["c"]),
        helper.make_node(
            "If",
            ["c"],
            ["y"],
            then_branch=branch("w", []),
            else_branch=branch("v", [numpy_helper.from_array(W, "v")]),
        ),
    ]
    path = written(tmp_path / "if.onnx", nodes, {"w": W, "zero": np.array(0, np.float32)})
    opened = onnx_file.load(path)
    assert set(onnx_file.float_weights(opened.model, "if.onnx")) == {"v", "w"}
    onnx.checker.check_model(opened.model)
