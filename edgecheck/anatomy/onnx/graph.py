"""Walks an ONNX model: graphs, their branches and functions; every byte is claimed on the way.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, messages ModelProto, GraphProto, NodeProto, AttributeProto,
FunctionProto and TrainingInfoProto. Numbers of fields are keys or constants here; the comments name the fields.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.accounting.limits import RECORD
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import BYTES, FIXED32, VARINT, Field, field_at, fields, run_at, signed, text
from edgecheck.anatomy.onnx.tensors import DOCUMENTATION, Raw, read_sparse, read_tensor
from edgecheck.anatomy.values import Kind

_MODEL = Label(Kind.STRUCTURE, "model record")
_NODES = Label(Kind.STRUCTURE, "nodes")
_ATTRIBUTES = Label(Kind.STRUCTURE, "attributes")
_PORTS = Label(Kind.STRUCTURE, "inputs and outputs")
_FUNCTIONS = Label(Kind.STRUCTURE, "functions")
_ORIGIN = Label(Kind.METADATA, "producer and version")
_SHAPES = Label(Kind.METADATA, "shapes of intermediate values")
_PROPERTIES = Label(Kind.METADATA, "properties")
#: Branches inside of branches.
_DEEPEST = 64

#: ModelProto: graph, training_info, functions.
_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
#: ModelProto: producer_name, producer_version, model_version, doc_string, metadata_props.
_MODEL_LABELS = {2: _ORIGIN, 3: _ORIGIN, 5: _ORIGIN, 6: DOCUMENTATION, 14: _PROPERTIES}
#: TrainingInfoProto: initialization, algorithm.
_TRAINING_GRAPHS = (1, 2)
#: GraphProto: node, initializer, input, output, sparse_initializer.
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
#: GraphProto: doc_string, input, output, value_info, metadata_props.
_GRAPH_LABELS = {10: DOCUMENTATION, 11: _PORTS, 12: _PORTS, 13: _SHAPES, 16: _PROPERTIES}
#: FunctionProto: node, attribute_proto.
_FUNCTION_NODE, _FUNCTION_ATTRIBUTE = 7, 11
#: FunctionProto: doc_string, value_info, metadata_props.
_FUNCTION_LABELS = {8: DOCUMENTATION, 12: _SHAPES, 14: _PROPERTIES}
#: NodeProto: input, output, name, op_type, attribute, domain.
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 3, 4, 5, 7
#: NodeProto: doc_string, metadata_props.
_NODE_LABELS = {6: DOCUMENTATION, 9: DOCUMENTATION}
#: AttributeProto: name, i.
_NAME, _INTEGER = 1, 3
#: AttributeProto: t and tensors, g and graphs, sparse_tensor and sparse_tensors.
_TENSORS, _GRAPHS, _SPARSE = (5, 10), (6, 11), (22, 23)
#: AttributeProto: floats, ints, strings. The type of the list, and the wire type of a value when they are packed.
_LISTS = {7: ("float32", FIXED32), 8: ("int64", VARINT), 9: ("string", BYTES)}
#: Operators of the domain `ai.onnx` whose lists are data, as all lists of `ai.onnx.ml` are.
_DATA_OPERATORS = ("Constant", "TfIdfVectorizer")


class Node(NamedTuple):
    """A node, with its attributes that hold tensors or integers."""

    operator: str
    """With its domain, unless that is ONNX's."""
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: tuple[Raw, ...]
    """Named by their attributes."""
    integers: dict[str, int]
    """Attributes with a single integer."""


class Visitor(Protocol):
    """Called for each initialiser, node and port of a walk."""

    def initializer(self, raw: Raw, *, training: bool) -> None:
        """An initialiser; those of a graph come before its nodes."""

    def node(self, node: Node) -> None:
        """A node; those of its branches come before it."""

    def port(self, message: Field, *, is_input: bool) -> None:
        """An input or output of the model itself, as a ValueInfoProto."""


class Walk:
    """One pass over the model in a region."""

    def __init__(self, region: Region, visitor: Visitor) -> None:
        self._region = region
        self._data = region.span.data
        self._visitor = visitor
        self._training = False
        self._attributes = _Attributes(region, self._branch)

    def model(self) -> None:
        """Visit everything: a ModelProto."""
        for field in fields(self._data, 0, self._region.span.size):
            if field.number == _MODEL_GRAPH:
                self._graph(field, _MODEL, 0)
            elif field.number == _MODEL_FUNCTIONS:
                self._function(field)
            elif field.number == _MODEL_TRAINING:
                self._training_info(field)
            else:
                self._claim(field, _MODEL_LABELS.get(field.number, _MODEL))

    def _claim(self, field: Field, label: Label) -> None:
        self._region.claim(field.begin, field.stop - field.begin, label)

    def _claim_head(self, field: Field, label: Label) -> None:
        self._region.claim(field.begin, field.start - field.begin, label)

    def _graph(self, message: Field, label: Label, depth: int) -> None:
        """A GraphProto; its initialisers come first, so that a node's weights are known when it is visited."""
        if depth > _DEEPEST:
            raise Damage(f"its branches are nested more than {_DEEPEST} deep")
        self._claim_head(message, label)
        nodes = array("q")
        for field in fields(self._data, message.start, message.stop):
            if field.number == _GRAPH_NODE:
                nodes.append(field.begin)
            elif field.number == _GRAPH_INITIALIZER:
                self._visitor.initializer(read_tensor(self._region, field), training=self._training)
            elif field.number == _GRAPH_SPARSE:
                self._visitor.initializer(read_sparse(self._region, field), training=self._training)
            else:
                self._claim(field, _GRAPH_LABELS.get(field.number, _MODEL))
                if depth == 0 and not self._training and field.number in (_GRAPH_INPUT, _GRAPH_OUTPUT):
                    self._visitor.port(field, is_input=field.number == _GRAPH_INPUT)
        for begin in nodes:
            self._node(field_at(self._data, begin, message.stop), depth)

    def _branch(self, message: Field, depth: int) -> None:
        self._graph(message, _NODES, depth + 1)

    def _function(self, message: Field) -> None:
        self._claim_head(message, _FUNCTIONS)
        for field in fields(self._data, message.start, message.stop):
            if field.number == _FUNCTION_NODE:
                self._node(field, 0)
            elif field.number == _FUNCTION_ATTRIBUTE:
                for raw in self._attributes.read(field, "", 0).tensors:
                    self._visitor.initializer(raw, training=False)
            else:
                self._claim(field, _FUNCTION_LABELS.get(field.number, _FUNCTIONS))

    def _training_info(self, message: Field) -> None:
        self._training = True
        self._claim_head(message, _MODEL)
        for field in fields(self._data, message.start, message.stop):
            if field.wire == BYTES and field.number in _TRAINING_GRAPHS:
                self._graph(field, _MODEL, 0)
            else:
                self._claim(field, _MODEL)
        self._training = False

    def _node(self, message: Field, depth: int) -> None:
        self._claim_head(message, _NODES)
        texts: dict[int, list[str]] = {
            _NODE_INPUT: [], _NODE_OUTPUT: [], _NODE_NAME: [""], _NODE_OPERATOR: [""], _NODE_DOMAIN: [""]
        }  # fmt: skip
        attributes = []
        for field in fields(self._data, message.start, message.stop):
            if field.number == _NODE_ATTRIBUTE:
                self._region.span.work.spend(2 * RECORD)
                attributes.append(field)
                continue
            self._claim(field, _NODE_LABELS.get(field.number, _NODES))
            if field.number in texts:
                texts[field.number].append(text(self._data, field))
        domain, operator = texts[_NODE_DOMAIN][-1], texts[_NODE_OPERATOR][-1]
        if domain not in ("", "ai.onnx"):
            operator = f"{domain}.{operator}"
        read = [self._attributes.read(field, operator, depth) for field in attributes]
        tensors = tuple(raw for attribute in read for raw in attribute.tensors)
        integers = {attribute.name: attribute.integer for attribute in read if attribute.integer is not None}
        self._visitor.node(
            Node(
                operator=operator,
                name=texts[_NODE_NAME][-1],
                inputs=tuple(texts[_NODE_INPUT]),
                outputs=tuple(texts[_NODE_OUTPUT]),
                tensors=tensors,
                integers=integers,
            )
        )


class _Attribute(NamedTuple):
    """The parts of an attribute that the anatomy needs."""

    name: str
    tensors: tuple[Raw, ...]
    """Under the name of the attribute."""
    integer: int | None


class _Attributes:
    """Reads attributes in `region`, claiming their contents; `branch` is called for each graph in them.

    Their tensors and lists may be weights, as initialisers are.
    """

    def __init__(self, region: Region, branch: Callable[[Field, int], None]) -> None:
        self._region = region
        self._branch = branch

    def read(self, message: Field, operator: str, depth: int) -> _Attribute:
        """An AttributeProto of a node with this operator, which is `depth` branches deep."""
        data = self._region.span.data
        self._region.claim(message.begin, message.start - message.begin, _ATTRIBUTES)
        is_data = operator in _DATA_OPERATORS or operator.startswith("ai.onnx.ml.")
        name, integer, found = "", None, list[Raw]()
        self._region.span.work.spend(4 * RECORD)
        at = message.start
        while at < message.stop:
            field = field_at(data, at, message.stop)
            at = field.stop
            if field.number in _LISTS:
                at = self._list(field, message.stop, found if is_data else None)
            elif not self._contents(field, found, depth):
                self._region.claim(field.begin, field.stop - field.begin, _ATTRIBUTES)
                if field.number == _NAME:
                    name = text(data, field)
                elif field.number == _INTEGER:
                    integer = signed(field.value)
        return _Attribute(name, tuple(raw._replace(name=name) for raw in found), integer)

    def _contents(self, field: Field, found: list[Raw], depth: int) -> bool:
        """Read the field if it is a tensor or a graph; returns whether it is."""
        if field.number in _TENSORS:
            found.append(read_tensor(self._region, field))
        elif field.number in _SPARSE:
            found.append(read_sparse(self._region, field))
        elif field.number in _GRAPHS:
            self._branch(field, depth)
        else:
            return False
        return True

    def _list(self, field: Field, stop: int, found: list[Raw] | None) -> int:
        """Claim a list, as data if there is a `found` to append it to; returns where it ends."""
        dtype, wire = _LISTS[field.number]
        run = run_at(self._region.span.data, field, stop, wire)
        self._region.claim(field.begin, run.start - field.begin, _ATTRIBUTES)
        self._region.claim(run.start, run.stop - run.start, _ATTRIBUTES if found is None else TENSOR)
        if found is not None:
            self._region.span.work.spend(8 * RECORD)
            encoding = "" if run.start > field.begin and wire != VARINT else "unpacked"
            found.append(Raw("", dtype, (run.values,), ((run.start, run.stop - run.start),), encoding, {}))
        return run.stop
