"""Small ONNX files that need something from the command line, or that no runtime takes."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto, helper


def with_an_unknown_operator() -> bytes:
    """y = Unheard(x)."""
    node = helper.make_node("Unheard", ["x"], ["y"], domain="com.example")
    return _model([node], [("x", [1, 4])], helper.make_opsetid("com.example", 1))


def with_open_dimensions(first: object = "batch", second: object = "length") -> bytes:
    """y = 2x, for x of two dimensions; a text is an open one's name."""
    return _model([helper.make_node("Add", ["x", "x"], ["y"])], [("x", [first, second])])


def with_a_state() -> bytes:
    """y = input and z = state, as in a network of sound: `batch` recurs inside of the state's shape."""
    nodes = [helper.make_node("Identity", [one], [other]) for one, other in (("input", "y"), ("state", "z"))]
    return _model(nodes, [("input", ["batch", "samples"]), ("state", [2, "batch", 8])], outputs="yz")


def _model(nodes: list[Any], inputs: list[tuple[str, list[Any]]], *opsets: Any, outputs: str = "y") -> bytes:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "small", ends, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), *opsets], ir_version=8)
    return bytes(model.SerializeToString())
