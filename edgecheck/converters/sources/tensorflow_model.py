"""TensorFlow graphs and SavedModels: loaded, their variables frozen to constants, pruned, and run.

SavedModels are loaded the way TensorFlow 2 does, or through a v1 session, which older ones need.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from edgecheck.converters.interface import Request
from edgecheck.converters.pruning import is_kernel, pruned
from edgecheck.converters.samples import Port, ids_below
from edgecheck.converters.sources.frameworks import Output
from edgecheck.core.text import clean
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Operators that write to variables.
_WRITES = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")

#: Names of the signature that serves a model: of `tf.saved_model.save`, and of Keras.
_KEYS = ("serving_default", "serve")

#: What the names of TensorFlow's nodes may not contain, and may not begin with.
_REFUSED = re.compile(r"^[^A-Za-z0-9.]|[^A-Za-z0-9_.>/-]")


#: Operators that look up rows: table, row numbers and, last, the axis.
_LOOKUPS = ("Gather", "GatherV2")

#: Operators whose output has the values of their first input.
_KEEPING = ("Cast", "ExpandDims", "Identity", "Reshape", "Slice", "Squeeze", "StridedSlice", "Transpose")


class Frozen(NamedTuple):
    """A TensorFlow function as a self-contained graph whose weights are constants."""

    graph: Any
    ports: tuple[Port, ...]
    inputs: tuple[str, ...]
    """The tensors' names in the graph, in the order of the ports."""
    outputs: dict[str, str]
    """By the outputs' names: the tensors' names in the graph."""


class Served(NamedTuple):
    """The serving signature, as TensorFlow 2 loads it."""

    loaded: Any
    """Keeps the variables alive."""
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
        """Its variables frozen to constants, `share` of them pruned."""
        return freeze(self.function, self.ports, sorted(self.function.structured_outputs), share)


class FrozenModel:
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


class StatefulModel:
    """A signature that changes variables, run without freezing it."""

    def __init__(self, served: Served) -> None:
        self.ports = served.ports
        self._served = served
        self._start = [(each, each.numpy()) for each in served.function.variables]

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`; the state of earlier runs is reset."""
        for variable, value in self._start:
            variable.assign(value)
        answer = self._served.function(**{port.name: tf.constant(feed[port.name]) for port in self.ports})
        return [Output(name, np.asarray(value)) for name, value in sorted(answer.items())]


def open_model(request: Request) -> FrozenModel | StatefulModel:
    """The model of `request`: loaded the way TensorFlow 2 does, else through a v1 session."""
    try:
        found = served(request)
        return StatefulModel(found) if found.has_state else FrozenModel(found.frozen(request.prune))
    except ConversionError:
        raise
    except Exception:  # noqa: BLE001 - on models of TensorFlow 2.4, the loader raises almost anything
        return FrozenModel(frozen_session(request))


def served(request: Request) -> Served:
    """The serving signature, as TensorFlow 2 loads it."""
    loaded = tf.saved_model.load(str(request.model))
    key = _key(loaded.signatures, request)
    function = loaded.signatures[key]
    specs = function.structured_input_signature[1]
    order = [
        each.name.partition(":")[0].removeprefix(f"{key}_") for each in function.inputs if each.dtype != tf.resource
    ]
    names = order if set(order) == set(specs) else list(specs)
    ports = tuple(_port(name, specs[name].shape, specs[name].dtype) for name in names)
    return Served(loaded, key, function, ports)


def frozen_session(request: Request) -> Frozen:
    """The serving signature through a v1 session, which loads no Python objects of the training (`add_slot`)."""
    graph = tf.Graph()
    with tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(request.model))
        signature = meta.signature_def[_key(meta.signature_def, request)]
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
    graph = _convertible(constant, request.prune)
    return Frozen(graph, _reaching(ports, inputs, graph), inputs, outputs)


def _key(signatures: Any, request: Request) -> str:
    names = [name for name in signatures if not name.startswith("__")]
    have, title = ", ".join(map(clean, names)) or "none", request.title
    if request.signature:
        if request.signature in names:
            return request.signature
        raise ConversionError(
            f"{title} has no signature '{clean(request.signature)}'; it has: {have}.", "Choose one of them."
        )
    found = next((key for key in _KEYS if key in names), names[0] if len(names) == 1 else "")
    if found:
        return found
    if len(names) > 1:
        raise ConversionError(
            f"{title} has several signatures, {have}, and none that serves.",
            f"Choose one: --signature {clean(names[0])} (`signature:` in a budget).",
        )
    raise ConversionError(
        f"{title} has no serving signature; it has: {have}.",
        "Export it with model.export(path), or with a signature called serving_default.",
    )


def _port(name: str, shape: Any, dtype: Any) -> Port:
    if shape.rank is None:
        raise ConversionError(f"Input {name} has no rank.", "Export the model with a TensorSpec for each input.")
    return Port(name, tuple(shape.as_list()), dtype.name)


def freeze(function: Any, ports: tuple[Port, ...], names: list[str], share: float) -> Frozen:
    """A concrete function with its variables frozen to constants, and `share` of their values pruned.

    Loops stay functions: TensorFlow's converter supports no others.

    Args:
        function: The concrete function.
        ports: Its inputs, in its order.
        names: Its outputs' names, in its order.
        share: See `Request.prune`.
    """
    constant = convert_to_constants.convert_variables_to_constants_v2(function, lower_control_flow=False)
    if len(constant.inputs) > len(ports):
        raise RuntimeError("it has lookup tables or other resources, which freezing does not keep")
    graph = _convertible(constant.graph.as_graph_def(), share)
    outputs = dict(zip(names, (each.name for each in constant.outputs), strict=True))
    inputs = tuple(each.name for each in constant.inputs)
    return Frozen(graph, _reaching(ports, inputs, graph), inputs, outputs)


def _reaching(ports: tuple[Port, ...], inputs: tuple[str, ...], graph: Any) -> tuple[Port, ...]:
    """The inputs, with random row numbers that reach the tables that they index, where nothing is known of them yet."""
    rows = _rows_by_node(graph)
    nodes = [name.partition(":")[0] for name in inputs]
    return tuple(
        port._replace(draw=ids_below(rows[node])) if port.draw is None and node in rows else port
        for port, node in zip(ports, nodes, strict=True)
    )


def _rows_by_node(graph: Any) -> dict[str, int]:
    """By node: the rows of the smallest constant table in which its values look up."""
    nodes = {node.name: node for node in graph.node}
    found: dict[str, int] = {}
    for node in graph.node:
        if node.op not in _LOOKUPS:
            continue
        table, name = (_origin(nodes, node.input[at]) for at in (0, 1))
        axis = _origin(nodes, node.input[2]) if node.op == "GatherV2" else ""
        if table in nodes and nodes[table].op == "Const" and (not axis or _is_zero(nodes.get(axis))):
            dims = nodes[table].attr["value"].tensor.tensor_shape.dim
            if dims and dims[0].size > 0:
                found[name] = min(dims[0].size, found.get(name, dims[0].size))
    return found


def _origin(nodes: dict[str, Any], tensor: str) -> str:
    """The node that the values of a tensor come from."""
    name = tensor.partition(":")[0]
    while name in nodes and nodes[name].op in _KEEPING:
        name = nodes[name].input[0].partition(":")[0]
    return name


def _is_zero(node: Any) -> bool:
    return node is not None and node.op == "Const" and not tf.make_ndarray(node.attr["value"].tensor).any()


def _convertible(graph: Any, share: float) -> Any:
    """The graph in a form that converters accept, with the smallest values of every constant kernel set to zero.

    Freezing removes arguments from functions but keeps the list of their shapes, whose length confuses converters.
    """
    for function in graph.library.function:
        function.attr.pop("_input_shapes", None)
    if share:
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                _prune(node, share)
    return graph


def _prune(node: Any, share: float) -> None:
    if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum:
        values = tf.make_ndarray(node.attr["value"].tensor)
        if is_kernel(values.shape):
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(pruned(values, share)))


#: On a call and its function: XLA compiles it, so that TensorFlow does not inline it. Keras computes grouped
#: convolutions in such a function, because TensorFlow has no kernel for them on a CPU.
_COMPILED = "_XlaMustCompile"


def inlined(frozen: Frozen) -> Frozen:
    """The graph with the functions inlined that XLA was to compile: other converters know no calls."""
    if not any(_COMPILED in node.attr for node in frozen.graph.node):
        return frozen
    names = {each.signature.name: f"{each.signature.name}_inlined" for each in frozen.graph.library.function}
    for function in frozen.graph.library.function:  # TensorFlow keeps the compiled ones under their names
        function.signature.name = names[function.signature.name]
        function.attr.pop(_COMPILED, None)
        function.attr.pop("_noinline", None)
    for nodes in (frozen.graph.node, *(function.node_def for function in frozen.graph.library.function)):
        for node in nodes:
            node.attr.pop(_COMPILED, None)
            node.op = names.get(node.op, node.op)
            for attribute in node.attr.values():
                if attribute.HasField("func"):
                    attribute.func.name = names.get(attribute.func.name, attribute.func.name)
    return freeze(as_function(frozen), frozen.ports, sorted(frozen.outputs), 0.0)


def as_function(frozen: Frozen, tensors: list[str] | None = None) -> Callable[..., Any]:
    """The graph as a function of its inputs in order: returns `tensors`, or the signature's outputs by name."""

    def imported(*values: Any) -> Any:
        wanted = tensors or list(frozen.outputs.values())
        fed = dict(zip(frozen.inputs, values, strict=True))
        found = tf.graph_util.import_graph_def(frozen.graph, input_map=fed, return_elements=wanted, name="")
        if tensors:
            return found
        return labelled(frozen.outputs, found)

    specs = [tf.TensorSpec(port.dims, port.dtype, name=port.name) for port in frozen.ports]
    function: Callable[..., Any] = tf.compat.v1.wrap_function(imported, specs)
    return function


def labelled(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """Values by name, for a function to return; they keep these names in the graph, where TensorFlow allows that."""
    return {name: tf.identity(value, name=_REFUSED.sub("_", name)) for name, value in zip(names, values, strict=True)}


def before_softmax(graph: Any, tensor: str) -> str:
    """The input of the softmax that makes `tensor`; empty if none does, or if it is inside a function."""
    nodes = {node.name: node for node in graph.node}
    node = nodes.get(tensor.partition(":")[0])
    while node is not None and node.op in ("Identity", "Reshape", "Squeeze"):
        node = nodes.get(node.input[0].partition(":")[0])
    if node is None or node.op != "Softmax":
        return ""
    name: str = node.input[0]
    return name if ":" in name else f"{name}:0"
