"""`.onnx` to `.onnx` in floating point: pruned, or in float16; and the first step of every route from `.onnx`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import onnx
from onnx import numpy_helper, version_converter
from onnxruntime.transformers.float16 import convert_float_to_float16

from edgecheck.converters import pruning
from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import onnx_file

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
