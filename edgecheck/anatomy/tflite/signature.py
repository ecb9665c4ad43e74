"""Inputs, outputs and arithmetic of a `.tflite` file; `tables` reads the file."""

from __future__ import annotations

from collections import Counter
from math import prod

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.signature import Port, Signature, Variant, variant_of
from edgecheck.anatomy.tflite.tables import GraphRecord, ModelRecord, OperatorRecord, TensorRecord, read_tables

#: Operators that multiply by weights.
_MULTIPLIES = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D", "BATCH_MATMUL", "SVDF", "LSTM", "RNN",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "TRANSPOSE_CONV",
)  # fmt: skip
#: Which input is the activation; elsewhere it is the first.
_DATA_INPUT = {"TRANSPOSE_CONV": 2}
#: Operators that unpack a weight before it is used.
_UNPACKS = ("DEQUANTIZE", "DENSIFY")
#: Operators on variables that outlive a call.
_STATEFUL = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")


def read_signature(files: Files, name: str = "") -> Signature:
    """The signature called `name`, else that of the first subgraph, which an interpreter runs."""
    model = read_tables(files.main())
    chosen = model.signature(name)
    main = main_graph(model, name)
    weights: Counter[Variant] = Counter()
    for graph in model.graphs:
        stored = {index for index, tensor in enumerate(graph.tensors) if model.has_data(tensor)}
        makers = {index: operator for operator in graph.operators for index in operator.outputs}
        for operator in graph.operators:
            _count(operator, graph, stored, makers, weights)
    operators = Counter(operator.name for graph in model.graphs for operator in graph.operators)
    return Signature(
        inputs=_ports(main, main.inputs, chosen.names),
        outputs=_ports(main, main.outputs, chosen.names),
        operators=dict(operators),
        variant=variant_of(weights),
        stateful=any(name in operators for name in _STATEFUL),
        names=tuple(each.key for each in sorted(model.signatures, key=lambda each: each.graph)),
    )


def main_graph(model: ModelRecord, signature: str = "") -> GraphRecord:
    """The graph that the signature of that name runs, else the first.

    Raises:
        Damage: it does not exist.
    """
    place = model.signature(signature).graph
    if place >= len(model.graphs):
        raise Damage(f"it runs graph {place}, of {len(model.graphs)}" if model.graphs else "it has no graph")
    return model.graphs[place]


def _ports(graph: GraphRecord, indices: tuple[int, ...], names: dict[int, str]) -> tuple[Port, ...]:
    return tuple(_port(_tensor(graph, index), names.get(index, "")) for index in indices)


def _port(tensor: TensorRecord, name: str) -> Port:
    sizes = tensor.signature if len(tensor.signature) == len(tensor.shape) else tensor.shape
    return Port(name or tensor.name, tensor.dtype, tuple(None if size < 0 else size for size in sizes))


def _tensor(graph: GraphRecord, index: int) -> TensorRecord:
    if not 0 <= index < len(graph.tensors):
        raise Damage(f"it uses tensor {index}, of {len(graph.tensors)}")
    return graph.tensors[index]


def _count(
    operator: OperatorRecord,
    graph: GraphRecord,
    stored: set[int],
    makers: dict[int, OperatorRecord],
    weights: Counter[Variant],
) -> None:
    """Add the number of an operator's weights to the variant to which they belong."""
    data = _DATA_INPUT.get(operator.name, 0)
    if operator.name not in _MULTIPLIES or data >= len(operator.inputs):
        return
    activation = _tensor(graph, operator.inputs[data])
    for position, index in enumerate(operator.inputs):
        if position == data or not 0 <= index < len(graph.tensors):
            continue
        source, unpacked = _source(index, makers)
        if source in stored and len(graph.tensors[source].shape) > 1:
            tensor = graph.tensors[source]
            weights[_variant(tensor.dtype, activation.dtype, unpacked=unpacked)] += prod(tensor.shape)


def _source(index: int, makers: dict[int, OperatorRecord]) -> tuple[int, bool]:
    """The stored tensor from which a tensor is unpacked, and whether it is converted to floats on the way."""
    converted = False
    for _ in range(len(_UNPACKS)):
        maker = makers.get(index)
        if maker is None or maker.name not in _UNPACKS or not maker.inputs:
            break
        converted |= maker.name == "DEQUANTIZE"
        index = maker.inputs[0]
    return index, converted


def _variant(weight: str, activation: str, *, unpacked: bool) -> Variant:
    if not is_quantised(weight):
        return Variant.FLOAT16 if weight in ("float16", "bfloat16") else Variant.FLOAT32
    if unpacked:
        return Variant.INT8_WEIGHTS
    return Variant.INT8 if is_quantised(activation) else Variant.INT8_DYNAMIC
