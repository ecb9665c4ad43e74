"""Keras to float32 `.onnx`: Keras' own export, else tf2onnx on the traced model."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
import tf2onnx

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources.frozen_graph import labelled
from edgecheck.converters.sources.keras_model import KerasModel

if TYPE_CHECKING:
    from pathlib import Path


def convert(request: Request, folder: Path) -> Made:
    """Export with Keras."""
    made = folder / "model.onnx"
    model = KerasModel(request)
    model.call_once(request)
    model.keras.export(made, format="onnx", verbose=False)
    return Made((made,), f"keras {keras.__version__} export (tf2onnx {version('tf2onnx')})", _notes(model))


def convert_traced(request: Request, folder: Path) -> Made:
    """Trace the model and convert the function."""
    model = KerasModel(request)
    specs = [tf.TensorSpec(port.dims, port.dtype, name=port.name) for port in model.ports]

    def named(*values: Any) -> dict[str, Any]:
        outputs = model.symbolic(list(values))
        return labelled(model.output_names(len(outputs)), outputs)

    made = folder / "model.onnx"
    tf2onnx.convert.from_function(tf.function(named), input_signature=specs, output_path=str(made))
    return Made((made,), f"tf2onnx {version('tf2onnx')}", _notes(model))


def _notes(model: KerasModel) -> tuple[str, ...]:
    """An .onnx holds no variables."""
    if not model.is_stateful:
        return ()
    return ("It is stateful, and .onnx keeps no state: each call starts from the first one. As .tflite it remembers.",)
