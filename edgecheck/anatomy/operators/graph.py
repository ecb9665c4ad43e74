"""Reads the operators of a `.onnx` or `.tflite` file, in their order, with the shapes that the file knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import explained
from edgecheck.anatomy.encodings.wire import Field
from edgecheck.anatomy.formats import ModelFormat, identify
from edgecheck.anatomy.onnx.graph import Node, Walk
from edgecheck.anatomy.onnx.tensors import Raw
from edgecheck.anatomy.tflite.tables import GraphRecord, ModelRecord, read_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What an operator takes or computes."""

    key: str
    """What distinguishes it from the others of the file; empty for an input that is left out."""
    name: str
    """As the file has it."""
    shape: tuple[int, ...] | None = None
    """None where the file does not say, or leaves a dimension open."""
    dtype: str = ""
    stored: bool = False
    """Whether it is in the file: weights and constants."""

    @property
    def bytes(self) -> int | None:
        """Its size as a dense array; None where that is not known."""
        if self.shape is None or not self.dtype:
            return None
        elements = 1
        for size in self.shape:
            elements *= size
        return dense_size(self.dtype, elements) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOperator:
    """An operator in the file."""

    name: str
    """Its own name, or that of its first output."""
    type: str
    graph: int
    """0 is the main graph; branches of `.onnx` models belong to -1."""
    place: int
    """Its index among the operators of its graph."""
    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    integers: Mapping[str, int] = field(default_factory=dict)
    """Attributes with a single integer."""

    @property
    def is_constant(self) -> bool:
        """Whether it depends on stored values alone, so that runtimes compute it on loading."""
        return all(value.stored or not value.key for value in self.inputs)


def operators_of(path: Path) -> tuple[FileOperator, ...]:
    """The operators of every graph; empty for formats without a graph.

    Raises:
        ModelError: the file is not a model, or is damaged.
    """
    readers = {ModelFormat.ONNX: _onnx, ModelFormat.TFLITE: _tflite}
    read = readers.get(identify(path))
    if read is None:
        return ()
    with explained(path), Files(path) as files:
        return read(files)


class _Nodes:
    """A `Visitor` that collects the nodes and the stored values."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.stored: dict[str, Raw] = {}

    def initializer(self, raw: Raw, *, training: bool) -> None:
        """See `Visitor`."""
        if not training:
            self.stored[raw.name] = raw

    def node(self, node: Node) -> None:
        """See `Visitor`."""
        self.nodes.append(node)

    def port(self, message: Field, *, is_input: bool) -> None:
        """See `Visitor`; inputs and outputs are not operators."""


def _onnx(files: Files) -> tuple[FileOperator, ...]:
    """The nodes; a Constant is a stored value, and what is computed from stored values is one, too."""
    found = _Nodes()
    Walk(files.main(), found).model()
    known = {
        name: Value(key=name, name=name, shape=raw.shape, dtype=raw.dtype, stored=True)
        for name, raw in found.stored.items()
    }
    operators: list[FileOperator] = []
    for node in found.nodes:
        if node.operator == "Constant":
            raw = node.tensors[0] if node.tensors else None
            for name in node.outputs:
                known[name] = Value(
                    key=name, name=name, shape=raw.shape if raw else None, dtype=raw.dtype if raw else "", stored=True
                )
            continue
        inputs = tuple(known.get(name) or Value(key=name, name=name) for name in node.inputs)
        operator = FileOperator(
            name=node.name or (node.outputs or ("",))[0],
            type=node.operator,
            graph=0,
            place=len(operators),
            inputs=inputs,
            outputs=tuple(Value(key=name, name=name) for name in node.outputs),
            integers=node.integers,
        )
        if operator.is_constant and inputs:
            known.update({name: _computed(name, operator) for name in node.outputs})
        operators.append(operator)
    return tuple(operators)


#: Operators whose output has the shape of their first input.
_SAME_SHAPE = ("DequantizeLinear", "QuantizeLinear", "Cast", "Identity")


def _computed(name: str, operator: FileOperator) -> Value:
    """A value that is computed on loading."""
    first = operator.inputs[0]
    return Value(key=name, name=name, shape=first.shape if operator.type in _SAME_SHAPE else None, stored=True)


def _tflite(files: Files) -> tuple[FileOperator, ...]:
    model = read_tables(files.main())
    return tuple(
        FileOperator(
            name=_name(graph, record.outputs),
            type=record.name,
            graph=number,
            place=place,
            inputs=tuple(_value((number, graph), index, model) for index in record.inputs),
            outputs=tuple(_value((number, graph), index, model) for index in record.outputs),
        )
        for number, graph in enumerate(model.graphs)
        for place, record in enumerate(graph.operators)
    )


def _name(graph: GraphRecord, outputs: tuple[int, ...]) -> str:
    return graph.tensors[outputs[0]].name if outputs and 0 <= outputs[0] < len(graph.tensors) else ""


def _value(within: tuple[int, GraphRecord], index: int, model: ModelRecord) -> Value:
    """A tensor; its key is its index, since files have several tensors of one name."""
    number, graph = within
    if not 0 <= index < len(graph.tensors):
        return Value(key="", name="")
    tensor = graph.tensors[index]
    is_open = any(size < 0 for size in tensor.signature)
    return Value(
        key=f"{number}:{index}",
        name=tensor.name,
        shape=None if is_open else tensor.shape,
        dtype=tensor.dtype,
        stored=model.has_data(tensor),
    )
