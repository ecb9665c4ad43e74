"""`.onnx` to `.onnx` without a quantiser: pruned, in float16, or with int8 weights; also the first step of others."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, version_converter
from onnxruntime.transformers.float16 import convert_float_to_float16

from edgecheck.converters import pruning
from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import onnx_constants, onnx_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The first opset whose QuantizeLinear and DequantizeLinear take a scale per channel.
PER_CHANNEL = 13


def load_pruned(request: Request) -> onnx_file.OpenedOnnx:
    """The model of `request`, with the requested share of its weights pruned.

    Raises:
        ConversionError: it has no float32 weights.
    """
    source = onnx_file.load(request.model)
    weights = onnx_file.float_weights(source.model, request.title)
    if request.prune:
        source.file = None
        for tensor in weights.values():
            if pruning.is_kernel(tuple(tensor.dims)):
                values = pruning.pruned(numpy_helper.to_array(tensor), request.prune)
                onnx_file.replace_tensor(tensor, values)
    return source


def raise_opset(source: onnx_file.OpenedOnnx, least: int) -> None:
    """Convert the model to this version of ONNX's operators if it uses an older one."""
    if next(each.version for each in source.model.opset_import if each.domain in ("", "ai.onnx")) < least:
        source.model, source.file = version_converter.convert_version(source.model, least), None


def prune(request: Request, folder: Path) -> Made:
    """Write the pruned model in float32."""
    source = load_pruned(request)
    files = onnx_file.save(source.model, folder, external=source.external)
    return Made(files, pruning.words(request.prune))


def to_float16(request: Request, folder: Path) -> Made:
    """Write the model with weights and computation in float16; inputs and outputs keep their types."""
    source = load_pruned(request)
    model = convert_float_to_float16(
        source.model, keep_io_types=True, disable_shape_infer=_is_typed(source.model.graph)
    )
    files = onnx_file.save(model, folder, external=source.external)
    return Made(files, f"{pruning.prefix(request.prune)}onnxruntime {version('onnxruntime')} float16")


def _is_typed(graph: onnx.GraphProto) -> bool:
    """Whether the file gives the type of every tensor that its nodes make, as PyTorch's exporter does.

    Inferring them again takes half of the conversion's time, for the same bytes.
    """
    typed = {each.name for each in (*graph.value_info, *graph.output) if each.type.tensor_type.elem_type}
    made = {name for node in graph.node for name in node.output if name}
    branches = any(each.HasField("g") or each.graphs for node in graph.node for each in node.attribute)
    return made <= typed and not branches


# onnxruntime's MatMulNBits is not used: it does not change Gemm, which most dense layers are, and its 8-bit form was 16
# times slower.

#: The largest magnitude in symmetric int8.
_LARGEST = 127


def to_int8_weights(request: Request, folder: Path) -> Made:
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
