"""Keras to float32 `.onnx`: Keras' own export, else tf2onnx on the traced model."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import keras
import onnx
import tensorflow as tf
import tf2onnx

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources.frozen_graph import freeze, labelled
from edgecheck.converters.sources.keras_model import KerasModel
from edgecheck.converters.to_onnx.from_graph import converted, save

if TYPE_CHECKING:
    from pathlib import Path


def convert(request: Request, folder: Path) -> Made:
    """Export with Keras.

    Raises:
        RuntimeError: constants of the model became inputs, as those of a Normalization do.
    """
    made = folder / "model.onnx"
    model = KerasModel(request)
    model.call_once(request)
    model.keras.export(made, format="onnx", verbose=False)
    exported = onnx.load(made)
    if len(exported.graph.input) != len(model.ports):
        raise RuntimeError("it made inputs of the model's own constants")
    return Made(
        save(exported, folder), f"keras {keras.__version__} export (tf2onnx {version('tf2onnx')})", _notes(model)
    )


def convert_traced(request: Request, folder: Path) -> Made:
    """Trace the model, make its variables and captured constants part of the graph, and convert that."""
    model = KerasModel(request)
    specs = [tf.TensorSpec(port.dims, port.dtype, name=port.name) for port in model.ports]

    def named(*values: Any) -> dict[str, Any]:
        outputs = model.symbolic(list(values))
        return labelled(model.output_names(len(outputs)), outputs)

    function = tf.function(named)
    if model.is_stateful:  # variables that calls write to cannot be made constants
        exported, _ = tf2onnx.convert.from_function(function, input_signature=specs)
    else:
        traced = function.get_concrete_function(*specs)
        exported = converted(freeze(traced, model.ports, sorted(traced.structured_outputs), 0.0))
    return Made(save(exported, folder), f"tf2onnx {version('tf2onnx')}", _notes(model))


def _notes(model: KerasModel) -> tuple[str, ...]:
    """An .onnx holds no variables."""
    if not model.is_stateful:
        return ()
    return ("It is stateful, and .onnx keeps no state: each call starts from the first one. As .tflite it remembers.",)
