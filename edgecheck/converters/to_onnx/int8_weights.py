"""`.onnx` to `.onnx` with int8 weights, which the runtime turns into float32 before it computes.

onnxruntime's MatMulNBits is not used: it does not change Gemm, which most dense layers are, and its 8-bit form was 16
times slower.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgecheck.converters import pruning
from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import onnx_constants, onnx_file
from edgecheck.converters.to_onnx.from_onnx import PER_CHANNEL, load_pruned, raise_opset

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The largest magnitude in symmetric int8.
_LARGEST = 127


def convert(request: Request, folder: Path) -> Made:
    """Write the model with a DequantizeLinear after each weight."""
    source = load_pruned(request)
    raise_opset(source, PER_CHANNEL)
    model = source.model
    axes = _channel_axes(model)
    dequantise = [
        node
        for name, tensor in onnx_file.float_weights(model, request.title).items()
        if pruning.is_kernel(tuple(tensor.dims))
        for node in _quantise(model, name, axes[name])
    ]
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*dequantise, *nodes])
    files = onnx_file.save(model, folder, external=source.external)
    tensors = "1 tensor" if len(dequantise) == 1 else f"{len(dequantise)} tensors"
    return Made(files, f"{pruning.prefix(request.prune)}edgecheck's int8 weights per channel, {tensors}")


def _channel_axes(model: onnx.ModelProto) -> dict[str, int]:
    """By weight: the axis of its output channels, for the first node that uses it."""
    axes: dict[str, int] = {}
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    for node in (node for graph in onnx_constants.graphs(model.graph) for node in graph.node):
        for place in onnx_file.WEIGHTS.get(node.op_type, ()):
            if place < len(node.input) and node.input[place] in ranks:
                axes.setdefault(node.input[place], _channel_axis(node, place, ranks[node.input[place]]))
    return axes


def _channel_axis(node: onnx.NodeProto, place: int, rank: int) -> int:
    match node.op_type:
        case "MatMul":
            return rank - 1 if place else max(rank - 2, 0)
        case "Gemm":
            flag = next((each.i for each in node.attribute if each.name == ("transB" if place else "transA")), 0)
            return int(flag == 0) if place else int(flag != 0)
        case "ConvTranspose" | "LSTM" | "GRU" | "RNN":
            return 1
        case _:
            return 0


def _quantise(model: onnx.ModelProto, name: str, axis: int) -> list[onnx.NodeProto]:
    """Replace a weight by int8 values and scales; returns the node that computes the weight from them."""
    tensor = next(each for each in model.graph.initializer if each.name == name)
    values, scales = _symmetric(numpy_helper.to_array(tensor), axis)
    model.graph.initializer.remove(tensor)
    model.graph.initializer.extend(
        [numpy_helper.from_array(values, f"{name}_int8"), numpy_helper.from_array(scales, f"{name}_scale")]
    )
    return [helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], axis=axis)]


def _symmetric(weights: NDArray[Any], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 values and one scale per channel along `axis`: weight = value x scale."""
    others = tuple(each for each in range(weights.ndim) if each != axis)
    highest = np.abs(weights).max(axis=others, keepdims=True)
    scales = np.where(highest > 0, highest / _LARGEST, 1).astype(np.float32)
    values = np.clip(np.rint(weights / scales), -_LARGEST, _LARGEST).astype(np.int8)
    return values, scales.reshape(-1)
