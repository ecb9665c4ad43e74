"""Keras to `.tflite` by TensorFlow's converter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from edgecheck.converters.samples import shapes_of
from edgecheck.converters.sources.frozen_graph import as_function, freeze
from edgecheck.converters.sources.keras_model import KerasModel, prune
from edgecheck.converters.to_tflite.tensorflow_converter import converted

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.converters.interface import Made, Request


def convert(request: Request, folder: Path) -> Made:
    """Convert the model as it is, its batch free."""
    model = _opened(request)
    return converted(
        request,
        folder,
        model.ports,
        lambda: tf.lite.TFLiteConverter.from_keras_model(model.keras),
        by_name=len(model.ports) > 1,
    )


def convert_fixed(request: Request, folder: Path) -> Made:
    """Convert the model with its batch, and every other open dimension, fixed.

    The converter needs that for recurrent layers (TensorListReserve takes a static shape only), and for models whose
    inputs or outputs come as a dict, on which `from_keras_model` fails.
    """
    model = _opened(request)
    shapes = shapes_of(model.ports, request)
    ports = tuple(port._replace(dims=shapes[port.name]) for port in model.ports)
    specs = [tf.TensorSpec(port.dims, port.dtype, name=port.name) for port in ports]

    def named(*values: Any) -> dict[str, Any]:
        outputs = model.symbolic(list(values))
        names = model.output_names(len(outputs))
        return dict(zip(names, outputs, strict=True))

    traced = tf.function(named).get_concrete_function(*specs)
    function: Any = as_function(freeze(traced, ports, sorted(traced.structured_outputs), 0.0))
    return converted(
        request,
        folder,
        ports,
        lambda: tf.lite.TFLiteConverter.from_concrete_functions([function]),
        way=", the batch fixed to 1",
    )


def _opened(request: Request) -> KerasModel:
    model = KerasModel(request)
    if request.prune:
        prune(model.keras, request.prune)
    return model
