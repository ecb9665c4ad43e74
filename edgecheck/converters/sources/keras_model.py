"""Keras models, `.keras` and complete models in HDF5, opened with Keras 3 and run on TensorFlow."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.model_files import sha256
from edgecheck.converters.pruning import is_kernel, pruned
from edgecheck.converters.refusals import holds_code, trust_hint, unknown_inputs, weights_without_network
from edgecheck.converters.samples import Port, described, ids_below, is_text, shapes_of, zeros
from edgecheck.converters.sources.frameworks import Output
from edgecheck.converters.sources.keras_wrappers import WRAPPERS, stripped
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIXES = {"keras": ".keras", "hdf5": ".h5"}


class KerasModel:
    """A model, loaded and built."""

    def __init__(self, request: Request) -> None:
        self.keras, self.notes = _loaded(request)
        self.ports = _ports(self.keras, request)
        if not self.keras.built:
            self._build(request)
        self._reset()

    def _build(self, request: Request) -> None:
        """Call it, and check that this created no weights: they would be random, and different at each loading.

        A model that was saved with its weights has them by now, even if its class builds itself at the first call.

        Raises:
            ConversionError: it created some.
        """
        loaded = len(self.keras.weights)
        self.call_once(request)
        if len(self.keras.weights) > loaded:
            raise _without_weights(request)

    def call_once(self, request: Request) -> None:
        """Call it with zeros, which builds it: Keras exports only models that were called."""
        shapes = shapes_of(self.ports, request)
        self.call([zeros(port, shapes[port.name]) for port in self.ports])
        self._reset()

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`."""
        values = self.call([feed[port.name] for port in self.ports])
        return [Output(name, value) for name, value in zip(self.output_names(len(values)), values, strict=True)]

    def call(self, values: list[Any]) -> list[NDArray[Any]]:
        """Outputs for inputs, both in the model's order; in inference mode, and without the state of earlier calls."""
        self._reset()
        texts = [port.name for port in self.ports if is_text(port.dtype)]
        fed = [keras.ops.convert_to_tensor(each, "string") for each in values] if texts else values
        return [np.asarray(value) for value in self.symbolic(fed if len(texts) == len(self.ports) else values)]

    def symbolic(self, values: list[Any]) -> list[Any]:
        """The same with tensors as inputs and outputs, for tracing."""
        struct = getattr(self.keras, "_inputs_struct", None)
        packed = keras.tree.pack_sequence_as(struct, values) if struct is not None else values
        fed = packed if struct is not None or len(values) > 1 else values[0]
        return list(keras.tree.flatten(self.keras(fed, training=False)))

    def _reset(self) -> None:
        """Reset the state of earlier calls: an artifact starts without it, and a converter would store it."""
        for layer in self._stateful():
            layer.reset_state()

    def _stateful(self) -> list[Any]:
        every = self.keras._flatten_layers()  # noqa: SLF001 - nothing public finds layers inside layers
        return [each for each in every if getattr(each, "stateful", False) and hasattr(each, "reset_state")]

    @property
    def is_stateful(self) -> bool:
        """Whether a call depends on earlier ones."""
        return bool(self._stateful())

    def output_names(self, count: int) -> list[str]:
        """The outputs' names in an export: a dict's keys, else the layers' names; numbered if there are neither."""
        struct = getattr(self.keras, "_outputs_struct", None)
        if isinstance(struct, dict):
            names = ["_".join(map(str, path)) for path, _ in keras.tree.flatten_with_path(struct)]
        else:
            names = list(getattr(self.keras, "output_names", None) or [])
        return names if len(set(names)) == count else [f"output_{index}" for index in range(count)]


class WithLogits:
    """A model, together with a copy without its final softmax, if it has one that can be removed."""

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
    """The model of `request`, together with the inputs of its final softmax.

    Raises:
        ConversionError: it cannot be loaded, or only with untrusted code.
    """
    headless = KerasModel(request)
    return WithLogits(KerasModel(request), headless if _behead(headless.keras) else None)


def _behead(model: Any) -> bool:
    """Make the softmax that ends a model pass its input on; returns whether there was one."""
    layers = list(getattr(model, "layers", []))
    last = [each for each in layers if not each._outbound_nodes] or layers[-1:]  # noqa: SLF001 - nothing public says which layers use an output
    found = False
    for layer in last:
        if getattr(layer, "activation", None) is keras.activations.softmax:
            layer.activation = keras.activations.linear
            found = True
        elif isinstance(layer, keras.layers.Softmax):
            layer.call = lambda inputs, mask=None: inputs  # noqa: ARG005 - the layer's own signature
            found = True
    return found


#: What is said about a model that came with wrappers.
_STRIPPED = "The wrappers of its training (tensorflow_model_optimization) were taken off, as its strip functions do."


def _loaded(request: Request) -> tuple[Any, tuple[str, ...]]:
    """The model, and what to note about it."""
    with _named_for_keras(request) as path, _settings_of_keras_2(request):
        try:
            plain = stripped(path, path.parent) if request.source == "hdf5" else None
            model = keras.saving.load_model(plain or path, compile=False, safe_mode=request.trusted != TRUST_ALL)
        except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
            raise _refused(request, " ".join(str(error).split())) from error
    return model, (_STRIPPED,) if plain else ()


#: By layer: settings of Keras 2 that Keras 3 lacks, with the value at which both do the same.
_SETTINGS_OF_KERAS_2: dict[str, tuple[str, object]] = {
    "DepthwiseConv2D": ("groups", 1),
    "DepthwiseConv1D": ("groups", 1),
    "SeparableConv1D": ("groups", 1),
    "SeparableConv2D": ("groups", 1),
    "Conv1DTranspose": ("groups", 1),
    "Conv2DTranspose": ("groups", 1),
    "Conv3DTranspose": ("groups", 1),
    "RNN": ("time_major", False),
    "SimpleRNN": ("time_major", False),
    "GRU": ("time_major", False),
    "LSTM": ("time_major", False),
    "ConvLSTM1D": ("time_major", False),
    "ConvLSTM2D": ("time_major", False),
    "ConvLSTM3D": ("time_major", False),
}

#: Keras' message about a class that is not registered.
_UNKNOWN_CLASS = re.compile(r"(?:Could not locate class|Unknown layer:) '(\w+)'")


@contextmanager
def _settings_of_keras_2(request: Request) -> Iterator[None]:
    """Layers drop these settings of an .h5 of Keras 2 while it is loaded, as long as they change nothing."""
    if not _keras_of_old(request):
        yield
        return
    kept: list[tuple[Any, Any]] = []
    for name, (setting, value) in _SETTINGS_OF_KERAS_2.items():
        layer = getattr(keras.layers, name)
        kept.append((layer, layer.__dict__.get("from_config")))
        layer.from_config = classmethod(_dropping(layer.from_config.__func__, setting, value))
    try:
        yield
    finally:
        for layer, own in kept:
            if own is None:
                del layer.from_config
            else:
                layer.from_config = own


def _dropping(make: Any, setting: str, value: object) -> Any:
    def from_config(cls: Any, config: dict[str, Any], *more: Any, **named: Any) -> Any:
        plain = {key: each for key, each in config.items() if key != setting or each != value}
        return make(cls, plain, *more, **named)

    return from_config


def _refused(request: Request, said: str) -> ConversionError:
    name = request.title
    if (version := _keras_of_old(request)) and ("TFOpLambda" in said or "SlicingOpLambda" in said):
        return ConversionError(
            f"{name} was written by Keras {version} with operators as layers (TFOpLambda), which Keras"
            f" {keras.__version__} does not open.",
            "Export it with the Keras that wrote it: model.export('folder') makes a SavedModel.",
        )
    if "safe_mode" in said or "unsafe" in said.lower() or "lambda" in said.lower():
        hint = f"Rebuild it without that layer, or {trust_hint(sha256(request.model))}."
        return holds_code(name, "a Lambda layer or other Python code", hint)
    if "No model config" in said or "model_config" in said:
        return weights_without_network(name, "Save the complete model: model.save('model.keras').")
    if any(each in said for each in WRAPPERS) or "QuantizeWrapper" in said or "QuantizeLayer" in said:
        return ConversionError(
            f"{name} holds wrappers of tensorflow_model_optimization, which Keras {keras.__version__} does not know:"
            f" {_without_config(said)}",
            "Save what strip_pruning or strip_clustering returns, or a model trained for int8 as a SavedModel.",
        )
    if (found := _UNKNOWN_CLASS.search(said)) and not version:
        return ConversionError(
            f"{name} has a layer of a class that Keras does not know: {found.group(1)}.",
            "Export the model with its classes (model.export), or register the class with Keras.",
        )
    if version:
        return ConversionError(
            f"{name} was written by Keras {version}, and Keras {keras.__version__} does not load it:"
            f" {_without_config(said)}",
            "Export it with the Keras that wrote it (tf_keras is Keras 2): model.export('folder') makes a SavedModel.",
        )
    return ConversionError(
        f"Keras {keras.__version__} does not load {name}: {_without_config(said)}",
        "Export a model with custom classes (model.export), or register the classes with Keras.",
    )


def _without_config(said: str) -> str:
    """What Keras says, without the settings of every layer."""
    return said.partition(" config={")[0].partition("Full object config")[0][:400]


def _keras_of_old(request: Request) -> str:
    """The version of the Keras 2 that wrote an .h5; empty for any other file."""
    if request.source != "hdf5":
        return ""
    import h5py

    with h5py.File(request.model) as file:
        version = file.attrs.get("keras_version", "")
    text = version.decode() if isinstance(version, bytes) else str(version)
    return text if text.startswith("2.") else ""


@contextmanager
def _named_for_keras(request: Request) -> Iterator[Path]:
    """The model under a name with the suffix from which Keras infers the format."""
    with tempfile.TemporaryDirectory() as scratch:
        link = Path(scratch) / f"model{_SUFFIXES[request.source]}"
        link.symlink_to(request.model.resolve())
        yield link


def _ports(model: Any, request: Request) -> tuple[Port, ...]:
    symbols = getattr(model, "inputs", None)
    if symbols:
        rows = _rows_by_input(model)
        return tuple(
            Port(
                each.name,
                tuple(each.shape),
                keras.backend.standardize_dtype(each.dtype),
                ids_below(rows[each.name]) if each.name in rows else None,
            )
            for each in symbols
        )
    if request.inputs:
        return tuple(Port(name, (None, *shape[1:]), "float32") for name, shape in request.inputs.items())
    if request.samples:
        found = described(request.samples)
        return tuple(Port(name, (None, *shape), _single(dtype)) for name, (shape, dtype) in found.items())
    if not model.built and not model.weights:
        raise _without_weights(request)
    raise unknown_inputs(request.title, "what its inputs are")


def _rows_by_input(model: Any) -> dict[str, int]:
    """By input that embeddings look up: the rows of the smallest."""
    found: dict[str, int] = {}
    for layer in model._flatten_layers():  # noqa: SLF001 - nothing public finds layers inside layers
        if isinstance(layer, keras.layers.Embedding):
            fed = [each for node in layer._inbound_nodes for each in node.input_tensors]  # noqa: SLF001 - as above
            for name in (each.name for each in fed if any(each is one for one in model.inputs)):
                found[name] = min(layer.input_dim, found.get(name, layer.input_dim))
    return found


def _without_weights(request: Request) -> ConversionError:
    return ConversionError(
        f"{request.title} holds no weights: it was saved before it was built.",
        "Call it once on real inputs, train it, and save it again.",
    )


def _single(dtype: str) -> str:
    return "float32" if dtype == "float64" else dtype


def prune(model: Any, share: float) -> None:
    """Set the smallest weights of every kernel to zero, in place."""
    for weight in model.weights:
        if is_kernel(tuple(weight.shape)) and keras.backend.is_float_dtype(weight.dtype):
            weight.assign(pruned(np.asarray(weight), share))
