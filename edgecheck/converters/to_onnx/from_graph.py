"""Frozen graphs of TensorFlow's to `.onnx` by tf2onnx, and what onnxruntime lacks of what tf2onnx writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import tf2onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.converters.sources.frozen_graph import Frozen


def converted(frozen: Frozen) -> onnx.ModelProto:
    """The graph, its inputs and outputs called what the signature calls them."""
    inputs = list(frozen.inputs)[: len(frozen.ports)]
    model, _ = tf2onnx.convert.from_graph_def(
        frozen.graph, input_names=inputs, output_names=list(frozen.outputs.values())
    )
    names = dict(zip(inputs, (port.name for port in frozen.ports), strict=True))
    _rename(model.graph, names | {tensor: name for name, tensor in frozen.outputs.items()})
    return model


def save(model: onnx.ModelProto, folder: Path) -> tuple[Path, ...]:
    """Write `model.onnx`, whatever way of tf2onnx's it comes from."""
    _replace_erfc(model)
    made = folder / "model.onnx"
    onnx.save(model, made)
    return (made,)


def _replace_erfc(model: onnx.ModelProto) -> None:
    """Write erfc(x) as 1 - erf(x): tf2onnx leaves TensorFlow's operator, and GELU has it."""
    nodes = list(model.graph.node)
    if not any(node.op_type == "Erfc" for node in nodes):
        return
    one = "one_minus_erf"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1), one))
    del model.graph.node[:]
    for node in nodes:
        if node.op_type != "Erfc":
            model.graph.node.append(node)
            continue
        inner, result = f"{node.output[0]}/erf", node.output[0]
        model.graph.node.append(helper.make_node("Erf", [node.input[0]], [inner], name=f"{node.name}/erf"))
        model.graph.node.append(helper.make_node("Sub", [one, inner], [result], name=node.name))


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for port in (*graph.input, *graph.output):
        port.name = names.get(port.name, port.name)
    for node in graph.node:
        for tensors in (node.input, node.output):
            for place, tensor in enumerate(tensors):
                tensors[place] = names.get(tensor, tensor)
