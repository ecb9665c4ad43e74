"""`.onnx` to float16 `.onnx`: weights and computation in half precision, inputs and outputs as they were."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from onnxruntime.transformers.float16 import convert_float_to_float16

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import onnx_file
from edgecheck.converters.to_onnx.pruned import opened, pruning_words

if TYPE_CHECKING:
    from pathlib import Path

    import onnx


def convert(request: Request, folder: Path) -> Made:
    """Write the halved model."""
    source = opened(request)
    model = convert_float_to_float16(
        source.model, keep_io_types=True, disable_shape_infer=_is_typed(source.model.graph)
    )
    files = onnx_file.save(model, folder, external=source.external)
    return Made(files, f"{pruning_words(request)}onnxruntime {version('onnxruntime')} float16")


def _is_typed(graph: onnx.GraphProto) -> bool:
    """Whether the file tells the type of everything that its nodes make, as PyTorch's exporter writes it.

    To infer that again takes half of the conversion's time, and comes to the same bytes.
    """
    told = {each.name for each in (*graph.value_info, *graph.output) if each.type.tensor_type.elem_type}
    made = {name for node in graph.node for name in node.output if name}
    branches = any(each.HasField("g") or each.graphs for node in graph.node for each in node.attribute)
    return made <= told and not branches
