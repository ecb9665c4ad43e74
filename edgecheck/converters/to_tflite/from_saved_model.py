"""SavedModel to `.tflite` by TensorFlow's converter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from edgecheck.converters.sources import saved_model
from edgecheck.converters.sources.frozen_graph import Frozen, as_function
from edgecheck.converters.to_tflite.tensorflow_converter import converted

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.converters.interface import Made, Request


def convert(request: Request, folder: Path) -> Made:
    """Convert the signature that TensorFlow 2 loads: from its folder where it has state, which freezing would break."""
    served = saved_model.served(request)
    if request.prune or not served.has_state:
        return _converted(request, folder, served.frozen(request.prune), "")
    place, keys = str(request.model), [served.key]
    return converted(
        request, folder, served.ports, lambda: tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=keys)
    )


def convert_session(request: Request, folder: Path) -> Made:
    """Convert the signature that a v1 session loads."""
    return _converted(request, folder, saved_model.frozen_session(request), ", from a v1 session")


def _converted(request: Request, folder: Path, frozen: Frozen, way: str) -> Made:
    function: Any = as_function(frozen)
    return converted(
        request,
        folder,
        frozen.ports,
        lambda: tf.lite.TFLiteConverter.from_concrete_functions([function]),
        way,
    )
