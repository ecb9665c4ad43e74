"""Keras models and SavedModels to float32 `.onnx`: Keras' own export, or tf2onnx on a frozen graph."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import helper, numpy_helper

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import tensorflow_model
from edgecheck.converters.sources.keras_model import KerasModel
from edgecheck.converters.sources.tensorflow_model import Frozen, freeze, inlined, labelled

#: Axes of the kernel of a convolution in three dimensions: both channels, and space.
_KERNEL_OF_VOLUMES = 5


def export_keras(request: Request, folder: Path) -> Made:
    """Export a Keras model with Keras.

    Raises:
        RuntimeError: constants of the model became inputs, as those of a Normalization do.
    """
    made = folder / "model.onnx"
    model = KerasModel(request)
    model.call_once(request)
    model.keras.export(made, format="onnx", verbose=False)
    exported = onnx.load(made)
    if len(exported.graph.input) != len(model.ports):
        raise RuntimeError("it turned constants of the model into inputs")
    route = f"keras {keras.__version__} export (tf2onnx {version('tf2onnx')})"
    return Made(_save(exported, folder), route, _notes(model))


def convert_keras(request: Request, folder: Path) -> Made:
    """Trace a Keras model, make its variables and captured constants part of the graph, and convert the graph."""
    model = KerasModel(request)
    specs = [tf.TensorSpec(port.dims, port.dtype, name=port.name) for port in model.ports]

    def named(*values: Any) -> dict[str, Any]:
        outputs = model.symbolic(list(values))
        return labelled(model.output_names(len(outputs)), outputs)

    function = tf.function(named)
    if model.is_stateful:  # variables that calls write to cannot be frozen
        exported, _ = tf2onnx.convert.from_function(function, input_signature=specs)
    else:
        traced = function.get_concrete_function(*specs)
        exported = _converted(freeze(traced, model.ports, sorted(traced.structured_outputs), 0.0))
    return Made(_save(exported, folder), f"tf2onnx {version('tf2onnx')}", _notes(model))


def convert_saved_model(request: Request, folder: Path) -> Made:
    """Convert the signature that TensorFlow 2 loads."""
    return _from_frozen(folder, tensorflow_model.served(request).frozen(request.prune), "")


def convert_session(request: Request, folder: Path) -> Made:
    """Convert the signature that a v1 session loads."""
    return _from_frozen(folder, tensorflow_model.frozen_session(request), ", from a v1 session")


def _from_frozen(folder: Path, frozen: Frozen, way: str) -> Made:
    return Made(_save(_converted(frozen), folder), f"tf2onnx {version('tf2onnx')}{way}")


def _notes(model: KerasModel) -> tuple[str, ...]:
    """What the model says, and that its state is lost: an .onnx has no variables."""
    if not model.is_stateful:
        return model.notes
    state = "It is stateful, and .onnx keeps no state: each call starts from the initial one. As .tflite it keeps it."
    return (*model.notes, state)


def _converted(frozen: Frozen) -> onnx.ModelProto:
    """The graph with its inputs and outputs under their names in the signature."""
    frozen = inlined(frozen)
    inputs = list(frozen.inputs)[: len(frozen.ports)]
    model, _ = tf2onnx.convert.from_graph_def(
        frozen.graph, input_names=inputs, output_names=list(frozen.outputs.values())
    )
    names = dict(zip(inputs, (port.name for port in frozen.ports), strict=True))
    _group_volumes(model)
    _rename(model.graph, names | {tensor: name for name, tensor in frozen.outputs.items()})
    return model


def _group_volumes(model: onnx.ModelProto) -> None:
    """Give convolutions in three dimensions the number of their groups, which tf2onnx gives to those in two only."""
    kernels = {each.name: tuple(each.dims) for each in model.graph.initializer if len(each.dims) == _KERNEL_OF_VOLUMES}
    nodes = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in kernels]
    if not nodes:
        return
    graph = onnx.shape_inference.infer_shapes(model).graph
    channels = {
        each.name: each.type.tensor_type.shape.dim[1].dim_value
        for each in (*graph.value_info, *graph.input)
        if len(each.type.tensor_type.shape.dim) == _KERNEL_OF_VOLUMES
    }
    for node in nodes:
        groups = channels.get(node.input[0], 0) // kernels[node.input[1]][1]
        if groups > 1 and not any(each.name == "group" and each.i > 1 for each in node.attribute):
            kept = [each for each in node.attribute if each.name != "group"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("group", groups)])


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for port in (*graph.input, *graph.output):
        port.name = names.get(port.name, port.name)
    for node in graph.node:
        for tensors in (node.input, node.output):
            for place, tensor in enumerate(tensors):
                tensors[place] = names.get(tensor, tensor)


def _save(model: onnx.ModelProto, folder: Path) -> tuple[Path, ...]:
    """Write `model.onnx`, without the operator that onnxruntime lacks."""
    _replace_erfc(model)
    made = folder / "model.onnx"
    onnx.save(model, made)
    return (made,)


def _replace_erfc(model: onnx.ModelProto) -> None:
    """Write erfc(x) as 1 - erf(x): tf2onnx keeps TensorFlow's operator, which GELU uses."""
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
