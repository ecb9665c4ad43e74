"""SavedModel to float32 `.onnx` by tf2onnx."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import onnx
import tf2onnx

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import saved_model

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.converters.sources.frozen_graph import Frozen


def convert(request: Request, folder: Path) -> Made:
    """Convert the signature that TensorFlow 2 loads."""
    return _converted(folder, saved_model.frozen(request), "")


def convert_session(request: Request, folder: Path) -> Made:
    """Convert the signature that a v1 session loads."""
    return _converted(folder, saved_model.frozen_session(request), ", from a v1 session")


def _converted(folder: Path, frozen: Frozen, way: str) -> Made:
    model, _ = tf2onnx.convert.from_graph_def(
        frozen.graph, input_names=list(frozen.inputs), output_names=list(frozen.outputs.values())
    )
    names = dict(zip(frozen.inputs, (port.name for port in frozen.ports), strict=True))
    _rename(model.graph, names | {tensor: name for name, tensor in frozen.outputs.items()})
    made = folder / "model.onnx"
    onnx.save(model, made)
    return Made((made,), f"tf2onnx {version('tf2onnx')}{way}")


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Call inputs and outputs what the signature calls them."""
    for port in (*graph.input, *graph.output):
        port.name = names.get(port.name, port.name)
    for node in graph.node:
        for tensors in (node.input, node.output):
            for place, tensor in enumerate(tensors):
                tensors[place] = names.get(tensor, tensor)
