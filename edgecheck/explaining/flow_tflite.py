"""The main graph of a `.tflite` file as operators and the sizes of what they compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.tflite.tables import read_tables
from edgecheck.explaining.activations import Flow, Step, is_open, size_of

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.tflite.tables import GraphRecord, ModelRecord, TensorRecord

_VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
"""The interpreter gives the output of these the place of their input."""


def read_flow(files: Files) -> Flow:
    """The first subgraph, which is what an interpreter runs.

    Raises:
        Damage: it has no graph, or computes a tensor that is not there.
    """
    model = read_tables(files.main())
    if not model.graphs:
        raise Damage("it has no graph")
    graph = model.graphs[0]
    keys = _keys(graph)
    tensors = {key: graph.tensors[int(key)] for key in keys}

    def known(indices: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(keys[index] for index in indices if 0 <= index < len(keys))

    return Flow(
        steps=tuple(Step(each.name, known(each.inputs), known(each.outputs)) for each in graph.operators),
        sizes={key: size_of(tensor.dtype, tensor.shape) for key, tensor in tensors.items()},
        stored=frozenset(key for key, tensor in tensors.items() if _has_data(tensor, model)),
        given=known(graph.inputs),
        results=known(graph.outputs),
        has_open=is_open(tensor.signature for tensor in graph.tensors),
        names={key: tensor.name for key, tensor in tensors.items()},
    )


def _keys(graph: GraphRecord) -> list[str]:
    """By index of a tensor: the key of its value, which is the index of the tensor that was computed first."""
    keys = [str(index) for index in range(len(graph.tensors))]
    for operator in graph.operators:
        if any(not 0 <= index < len(keys) for index in operator.outputs):
            raise Damage(f"an operator computes a tensor that is not among its {len(keys)}")
        if operator.name in _VIEWS and operator.inputs and operator.outputs and 0 <= operator.inputs[0] < len(keys):
            keys[operator.outputs[0]] = keys[operator.inputs[0]]
    return keys


def _has_data(tensor: TensorRecord, model: ModelRecord) -> bool:
    return bool(tensor.external) or (tensor.buffer < len(model.buffers) and model.buffers[tensor.buffer][1] > 0)
