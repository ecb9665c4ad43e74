"""Small .onnx models with one property each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path


def dense(path: Path, sizes: tuple[int, ...] = (64, 256, 10), seed: int = 0) -> Path:
    """Gemm layers with ReLU between, as torch's exporters write dense layers."""
    rng = np.random.default_rng(seed)
    nodes, weights, last = [], [], "image"
    for index, (inner, outer) in enumerate(pairwise(sizes)):
        values = rng.normal(0, 1 / np.sqrt(inner), (outer, inner)).astype(np.float32)
        weights += [
            numpy_helper.from_array(values, f"w{index}"),
            numpy_helper.from_array(rng.normal(0, 0.1, outer).astype(np.float32), f"b{index}"),
        ]
        nodes.append(helper.make_node("Gemm", [last, f"w{index}", f"b{index}"], [f"y{index}"], transB=1))
        last = f"y{index}"
        if index < len(sizes) - 2:
            nodes.append(helper.make_node("Relu", [last], [f"r{index}"]))
            last = f"r{index}"
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", sizes[0]])]
    ends = [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", sizes[-1]])]
    graph = helper.make_graph(nodes, "dense", ports, ends, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def convolutions(path: Path) -> Path:
    """Two convolutions, and nothing else that has weights."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), name)
        for name, shape in (("a", (8, 3, 3, 3)), ("b", (8, 8, 3, 3)))
    ]
    nodes = [helper.make_node("Conv", ["image", "a"], ["x"]), helper.make_node("Conv", ["x", "b"], ["y"])]
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])]
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 12, 12])]
    graph = helper.make_graph(nodes, "convolutions", ports, ends, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def old(path: Path) -> Path:
    """Operators of 2018: an Upsample, which ONNX has no more since opset 10, and a product."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
        numpy_helper.from_array(rng.normal(0, 0.1, (256, 10)).astype(np.float32), "w"),
        numpy_helper.from_array(np.zeros(10, np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Upsample", ["image", "scales"], ["large"], mode="nearest"),
        helper.make_node("Flatten", ["large"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 4, 4, 4])]
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])]
    graph = helper.make_graph(nodes, "old", ports, ends, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4), path)
    return path


def weights_listed_as_inputs(path: Path) -> Path:
    """As every file before IR 4 has them."""
    model = onnx.load(dense(path))
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    onnx.save(model, path)
    return path


def weight_types(path: Path) -> dict[str, int]:
    """How many values of each type the initialisers hold."""
    found: dict[str, int] = {}
    for tensor in onnx.load(path).graph.initializer:
        name = TensorProto.DataType.Name(tensor.data_type)
        found[name] = found.get(name, 0) + int(np.prod(tensor.dims))
    return found
