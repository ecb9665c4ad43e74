"""TensorFlow graphs whose weights are constants: pruned, run, given to converters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from edgecheck.converters.pruning import is_kernel, pruned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edgecheck.converters.samples import Port

#: What the names of TensorFlow's nodes may not hold, and may not begin with.
_REFUSED = re.compile(r"^[^A-Za-z0-9.]|[^A-Za-z0-9_.>/-]")


class Frozen(NamedTuple):
    """A function of TensorFlow's as a graph of its own."""

    graph: Any
    ports: tuple[Port, ...]
    inputs: tuple[str, ...]
    """The tensors' names in the graph, in the ports' order."""
    outputs: dict[str, str]
    """By the outputs' own names: the tensors' names in the graph."""


def freeze(function: Any, ports: tuple[Port, ...], names: list[str], share: float) -> Frozen:
    """A concrete function with its variables made constants, and `share` of their values pruned.

    Loops stay functions: TensorFlow's converter knows no others.

    Args:
        function: The concrete function.
        ports: Its inputs, in its order.
        names: Its outputs' names, in its order.
        share: See `Request.prune`.
    """
    constant = convert_to_constants.convert_variables_to_constants_v2(function, lower_control_flow=False)
    graph = tidied(constant.graph.as_graph_def(), share)
    outputs = dict(zip(names, (each.name for each in constant.outputs), strict=True))
    return Frozen(graph, ports, tuple(each.name for each in constant.inputs), outputs)


def tidied(graph: Any, share: float) -> Any:
    """The graph with the smallest values of every constant kernel set to zero, fit to be converted.

    Freezing removes arguments from functions and leaves the note of their shapes, over whose length converters stumble.
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


def as_function(frozen: Frozen, tensors: list[str] | None = None) -> Callable[..., Any]:
    """The graph as a function of its inputs in order: gives `tensors`, or by name the signature's outputs."""

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
    """Values by name, as a function gives them back; each is called so in the graph too, where TensorFlow allows it."""
    return {name: tf.identity(value, name=_REFUSED.sub("_", name)) for name, value in zip(names, values, strict=True)}


def before_softmax(graph: Any, tensor: str) -> str:
    """What goes into the softmax that makes `tensor`; empty where none does, or where it is inside a function."""
    nodes = {node.name: node for node in graph.node}
    node = nodes.get(tensor.partition(":")[0])
    while node is not None and node.op in ("Identity", "Reshape", "Squeeze"):
        node = nodes.get(node.input[0].partition(":")[0])
    if node is None or node.op != "Softmax":
        return ""
    name: str = node.input[0]
    return name if ":" in name else f"{name}:0"
