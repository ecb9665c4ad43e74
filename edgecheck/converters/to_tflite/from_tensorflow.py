"""Keras models and SavedModels to `.tflite` by TensorFlow's converter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from edgecheck.converters import pruning
from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import Feeds, Port, feeds, shapes_of
from edgecheck.converters.sources import tensorflow_model
from edgecheck.converters.sources.keras_model import KerasModel, prune
from edgecheck.converters.sources.tensorflow_model import Frozen, as_function, freeze


def convert_keras(request: Request, folder: Path) -> Made:
    """Convert a Keras model unchanged, its batch free."""
    model = _opened(request)
    made = _converted(
        request,
        folder,
        model.ports,
        lambda: tf.lite.TFLiteConverter.from_keras_model(model.keras),
        by_name=len(model.ports) > 1,
    )
    return replace(made, notes=(*model.notes, *made.notes))


def convert_keras_fixed(request: Request, folder: Path) -> Made:
    """Convert a Keras model with its batch, and every other open dimension, fixed.

    The converter needs that for recurrent layers (TensorListReserve takes a static shape only), and for models whose
    inputs or outputs are a dict, on which `from_keras_model` fails.
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
    frozen = freeze(traced, ports, sorted(traced.structured_outputs), 0.0)
    made = _from_frozen(request, folder, frozen, ", the batch fixed to 1")
    return replace(made, notes=(*model.notes, *made.notes))


def convert_saved_model(request: Request, folder: Path) -> Made:
    """Convert the signature that TensorFlow 2 loads: from its folder if it has state, which freezing would break."""
    served = tensorflow_model.served(request)
    if request.prune or not served.has_state:
        return _from_frozen(request, folder, served.frozen(request.prune), "")
    place, keys = str(request.model), [served.key]
    return _converted(
        request, folder, served.ports, lambda: tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=keys)
    )


def convert_session(request: Request, folder: Path) -> Made:
    """Convert the signature that a v1 session loads."""
    return _from_frozen(request, folder, tensorflow_model.frozen_session(request), ", from a v1 session")


def _opened(request: Request) -> KerasModel:
    model = KerasModel(request)
    if request.prune:
        prune(model.keras, request.prune)
    return model


def _from_frozen(request: Request, folder: Path, frozen: Frozen, way: str) -> Made:
    function: Any = as_function(frozen)
    return _converted(
        request,
        folder,
        frozen.ports,
        lambda: tf.lite.TFLiteConverter.from_concrete_functions([function]),
        way,
    )


def _converted(  # noqa: PLR0913 - one more than allowed, each independent of the others
    request: Request,
    folder: Path,
    ports: Sequence[Port],
    converter: Callable[[], Any],
    way: str = "",
    *,
    by_name: bool = False,
) -> Made:
    """Convert with new converters until one succeeds, and write the file.

    Full integer is first tried strictly; if an operator has no integer form, it stays float32.

    Args:
        request: The conversion.
        folder: Where the file goes.
        ports: The model's inputs, in the converter's order.
        converter: Creates a converter; called once per attempt.
        way: What is special about it, for the route's text.
        by_name: Whether the converter may have the inputs in another order: it sorts those of Keras models by name, and
            calibration samples in a list would then silently go to the wrong inputs.
    """
    samples_of = _named if by_name else _listed
    fed = feeds(ports, request) if request.variant == "int8" else None
    notes = list(fed.notes) if fed else []
    samples = None if fed is None else lambda: samples_of(fed, ports)
    try:
        content = _set_up(converter(), request.variant, samples, strict=True).convert()
    except Exception:
        if samples is None:
            raise
        content = _set_up(converter(), request.variant, samples, strict=False).convert()
        notes.append("Some operators have no integer form and stay float32.")
    made = folder / "model.tflite"
    made.write_bytes(content)
    calibrated = f", calibrated on {fed.words}" if fed else ""
    route = f"{pruning.prefix(request.prune)}TensorFlow {tf.__version__} converter{way}{calibrated}"
    return Made((made,), route, tuple(notes))


def _set_up(converter: Any, variant: str, samples: Callable[[], Iterator[Any]] | None, *, strict: bool) -> Any:
    if variant != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if samples is not None:
        converter.representative_dataset = samples
        if strict:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter


def _listed(fed: Feeds, ports: Sequence[Port]) -> Iterator[list[Any]]:
    for feed in fed.each:
        yield [feed[port.name] for port in ports]


def _named(fed: Feeds, ports: Sequence[Port]) -> Iterator[dict[str, Any]]:
    for feed in fed.each:
        yield {port.name: feed[port.name] for port in ports}
