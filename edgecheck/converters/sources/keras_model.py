"""Keras models, `.keras` and whole-model HDF5, opened with Keras 3 and run on TensorFlow."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from edgecheck.converters.interface import TRUST_ALL
from edgecheck.converters.model_files import sha256
from edgecheck.converters.samples import Port, described, shapes_of
from edgecheck.converters.sources.interface import Output
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edgecheck.converters.interface import Request

_SUFFIXES = {"keras": ".keras", "hdf5": ".h5"}


class KerasModel:
    """A model, loaded and built."""

    def __init__(self, request: Request) -> None:
        self.keras = _loaded(request)
        self.ports = _ports(self.keras, request)
        if not self.keras.built:
            self._build(request)
        self._reset()

    def _build(self, request: Request) -> None:
        """Call it, and see that this made no weights: they would be random, and others at each loading.

        What was saved with its weights has them by now, even where its class builds itself at the first call.

        Raises:
            ConversionError: it made some.
        """
        loaded = len(self.keras.weights)
        self.call_once(request)
        if len(self.keras.weights) > loaded:
            raise _without_weights(request)

    def call_once(self, request: Request) -> None:
        """Call it with zeros: that builds what was never called, and Keras exports nothing else."""
        shapes = shapes_of(self.ports, request)
        self.call([np.zeros(shapes[port.name], port.dtype) for port in self.ports])
        self._reset()

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`."""
        values = self.call([feed[port.name] for port in self.ports])
        return [Output(name, value) for name, value in zip(self.output_names(len(values)), values, strict=True)]

    def call(self, values: list[Any]) -> list[NDArray[Any]]:
        """Outputs for inputs, both in the model's own order; no training behaviour, and no state of earlier calls."""
        self._reset()
        return [np.asarray(value) for value in self.symbolic(values)]

    def symbolic(self, values: list[Any]) -> list[Any]:
        """The same with tensors in and out, for tracing."""
        struct = getattr(self.keras, "_inputs_struct", None)
        packed = keras.tree.pack_sequence_as(struct, values) if struct is not None else values
        fed = packed if struct is not None or len(values) > 1 else values[0]
        return list(keras.tree.flatten(self.keras(fed, training=False)))

    def _reset(self) -> None:
        """Forget the state of earlier calls: an artifact starts without it, and a converter would write it down."""
        for layer in self._stateful():
            layer.reset_state()

    def _stateful(self) -> list[Any]:
        every = self.keras._flatten_layers()  # noqa: SLF001 - there is no other way to find layers inside layers
        return [each for each in every if getattr(each, "stateful", False) and hasattr(each, "reset_state")]

    @property
    def is_stateful(self) -> bool:
        """Whether it remembers one call in the next."""
        return bool(self._stateful())

    def output_names(self, count: int) -> list[str]:
        """The outputs' names, as an export calls them: a dict's keys, else the layers; numbered where none are."""
        struct = getattr(self.keras, "_outputs_struct", None)
        if isinstance(struct, dict):
            names = ["_".join(map(str, path)) for path, _ in keras.tree.flatten_with_path(struct)]
        else:
            names = list(getattr(self.keras, "output_names", None) or [])
        return names if len(set(names)) == count else [f"output_{index}" for index in range(count)]


class WithLogits:
    """A model beside itself without its final softmax, where it has one that can be taken off."""

    def __init__(self, model: KerasModel, headless: KerasModel | None) -> None:
        self.ports = model.ports
        self._model = model
        self._headless = headless

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`."""
        outputs = self._model.run(feed)
        if self._headless is None:
            return outputs
        logits = self._headless.call([feed[port.name] for port in self.ports])
        return [
            output._replace(logits=None if np.array_equal(output.value, before) else before)
            for output, before in zip(outputs, logits, strict=True)
        ]


def open_model(request: Request) -> WithLogits:
    """The model of `request`, with what goes into its final softmax.

    Raises:
        ConversionError: it cannot be loaded, or only with code that nobody trusts.
    """
    headless = KerasModel(request)
    return WithLogits(KerasModel(request), headless if _behead(headless.keras) else None)


def _behead(model: Any) -> bool:
    """Make the softmax that ends a model pass its input on; whether there was one."""
    layers = list(getattr(model, "layers", []))
    last = [each for each in layers if not each._outbound_nodes] or layers[-1:]  # noqa: SLF001 - where a layer's output goes
    found = False
    for layer in last:
        if getattr(layer, "activation", None) is keras.activations.softmax:
            layer.activation = keras.activations.linear
            found = True
        elif isinstance(layer, keras.layers.Softmax):
            layer.call = lambda inputs, mask=None: inputs  # noqa: ARG005 - the layer's own signature
            found = True
    return found


def _loaded(request: Request) -> Any:
    with _named_for_keras(request) as path:
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=request.trusted != TRUST_ALL)
        except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
            raise _refused(request, " ".join(str(error).split())) from error


def _refused(request: Request, said: str) -> ConversionError:
    name = request.title
    if "safe_mode" in said or "unsafe" in said.lower() or "lambda" in said.lower():
        return ConversionError(
            f"{name} holds a Lambda layer or other Python code, which opening it would run.",
            f"Rebuild it without, or write `trusted: sha256:{sha256(request.model)}` into the budget, or give --trust.",
        )
    if "No model config" in said or "model_config" in said:
        return ConversionError(
            f"{name} holds weights only, without the network that they belong to.",
            "Save the whole model: model.save('model.keras').",
        )
    return ConversionError(
        f"Keras {keras.__version__} does not load {name}: {said[:400]}",
        "A model with classes of its own must be exported (model.export) or registered with Keras.",
    )


@contextmanager
def _named_for_keras(request: Request) -> Iterator[Path]:
    """The model under a name by which Keras knows its format: it looks at names, not at bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        link = Path(scratch) / f"model{_SUFFIXES[request.source]}"
        link.symlink_to(request.model.resolve())
        yield link


def _ports(model: Any, request: Request) -> tuple[Port, ...]:
    symbols = getattr(model, "inputs", None)
    if symbols:
        return tuple(
            Port(each.name, tuple(each.shape), keras.backend.standardize_dtype(each.dtype)) for each in symbols
        )
    if request.inputs:
        return tuple(Port(name, (None, *shape[1:]), "float32") for name, shape in request.inputs.items())
    if request.samples:
        found = described(request.samples)
        return tuple(Port(name, (None, *shape), _single(dtype)) for name, (shape, dtype) in found.items())
    if not model.built and not model.weights:
        raise _without_weights(request)
    raise ConversionError(
        f"{request.title} does not say what its inputs are.", "Give `samples`, or `inputs:` in the budget."
    )


def _without_weights(request: Request) -> ConversionError:
    return ConversionError(
        f"{request.title} holds no weights: it was saved before it was built.",
        "Call it once on real inputs, train it, and save it again.",
    )


def _single(dtype: str) -> str:
    return "float32" if dtype == "float64" else dtype


def prune(model: Any, share: float) -> None:
    """Set the smallest weights of every kernel to zero, in place."""
    from edgecheck.converters.pruning import is_kernel, pruned

    for weight in model.weights:
        if is_kernel(tuple(weight.shape)) and keras.backend.is_float_dtype(weight.dtype):
            weight.assign(pruned(np.asarray(weight), share))
