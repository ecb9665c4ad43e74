"""TensorFlow SavedModels: loaded as TensorFlow 2 does, or through a v1 session, which older ones need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from edgecheck.converters.samples import Port
from edgecheck.converters.sources.frozen_graph import Frozen, as_function, before_softmax, freeze, tidied
from edgecheck.converters.sources.interface import Output
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecheck.converters.interface import Request

_WRITES = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
_KEYS = ("serving_default", "serve")


class SavedModel:
    """A frozen signature, run."""

    def __init__(self, frozen: Frozen) -> None:
        self.ports = frozen.ports
        self._outputs = list(frozen.outputs)
        logits = {name: before_softmax(frozen.graph, tensor) for name, tensor in frozen.outputs.items()}
        self._logits = {name: tensor for name, tensor in logits.items() if tensor}
        self._run = as_function(frozen, [*frozen.outputs.values(), *self._logits.values()])

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`."""
        values = [np.asarray(each) for each in self._run(*(tf.constant(feed[port.name]) for port in self.ports))]
        logits = dict(zip(self._logits, values[len(self._outputs) :], strict=True))
        return [Output(name, value, logits.get(name)) for name, value in zip(self._outputs, values, strict=False)]


class Served(NamedTuple):
    """The serving signature, as TensorFlow 2 loads it."""

    loaded: Any
    """What holds the variables for as long as it lives."""
    key: str
    function: Any
    ports: tuple[Port, ...]

    @property
    def has_state(self) -> bool:
        """Whether a call changes variables: frozen, they would be constants, which nothing can change."""
        graph = self.function.graph.as_graph_def()
        nodes = (graph.node, *(each.node_def for each in graph.library.function))
        return any(node.op in _WRITES for each in nodes for node in each)

    def frozen(self, share: float) -> Frozen:
        """With constants for variables, `share` of them pruned."""
        return freeze(self.function, self.ports, sorted(self.function.structured_outputs), share)


class StatefulModel:
    """A signature that changes variables, run as it is."""

    def __init__(self, served: Served) -> None:
        self.ports = served.ports
        self._served = served
        self._start = [(each, each.numpy()) for each in served.function.variables]

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`; state from earlier runs is forgotten."""
        for variable, value in self._start:
            variable.assign(value)
        answer = self._served.function(**{port.name: tf.constant(feed[port.name]) for port in self.ports})
        return [Output(name, np.asarray(value)) for name, value in sorted(answer.items())]


def open_model(request: Request) -> SavedModel | StatefulModel:
    """The model of `request`: as TensorFlow 2 loads it, else through a v1 session."""
    try:
        found = served(request)
        return StatefulModel(found) if found.has_state else SavedModel(found.frozen(request.prune))
    except ConversionError:
        raise
    except Exception:  # noqa: BLE001 - the loader fails on models of TensorFlow 2.4 with whatever it stumbles over
        return SavedModel(frozen_session(request))


def frozen(request: Request) -> Frozen:
    """The serving signature that TensorFlow 2 loads, frozen."""
    return served(request).frozen(request.prune)


def served(request: Request) -> Served:
    """The serving signature, as TensorFlow 2 loads it."""
    loaded = tf.saved_model.load(str(request.model))
    key = _key(loaded.signatures, request.model)
    function = loaded.signatures[key]
    specs = function.structured_input_signature[1]
    order = [
        each.name.partition(":")[0].removeprefix(f"{key}_") for each in function.inputs if each.dtype != tf.resource
    ]
    names = order if set(order) == set(specs) else list(specs)
    ports = tuple(_port(name, specs[name].shape, specs[name].dtype) for name in names)
    return Served(loaded, key, function, ports)


def frozen_session(request: Request) -> Frozen:
    """The serving signature, through a v1 session: it needs no Python objects of the training (`add_slot`)."""
    graph = tf.Graph()
    with tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(request.model))
        signature = meta.signature_def[_key(meta.signature_def, request.model)]
        outputs = {name: info.name for name, info in signature.outputs.items()}
        nodes = [tensor.partition(":")[0] for tensor in outputs.values()]
        constant = convert_to_constants.convert_variables_to_constants_from_session_graph(
            session, graph.as_graph_def(), nodes
        )
    ports = tuple(
        _port(name, tf.TensorShape(info.tensor_shape), tf.dtypes.as_dtype(info.dtype))
        for name, info in signature.inputs.items()
    )
    inputs = tuple(info.name for info in signature.inputs.values())
    return Frozen(tidied(constant, request.prune), ports, inputs, outputs)


def _key(signatures: Any, path: Path) -> str:
    names = list(signatures)
    found = next((key for key in _KEYS if key in names), names[0] if len(names) == 1 else "")
    if not found:
        have = ", ".join(name for name in names if not name.startswith("__")) or "none"
        raise ConversionError(
            f"{path.name} has no serving signature; it has: {have}.",
            "Export it with model.export(path), or with a signature called serving_default.",
        )
    return found


def _port(name: str, shape: Any, dtype: Any) -> Port:
    if shape.rank is None:
        raise ConversionError(f"Input {name} has no rank.", "Export the model with a TensorSpec for each input.")
    return Port(name, tuple(shape.as_list()), dtype.name)
