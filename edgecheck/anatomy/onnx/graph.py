"""Walks an ONNX model: graphs, their branches and functions; every byte is entered on the way."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import BYTES, FIXED32, VARINT, Field, field_at, fields, run_at, signed, text
from edgecheck.anatomy.onnx.tensors import DOCUMENTATION, Raw, read_sparse, read_tensor
from edgecheck.anatomy.values import Kind

_MODEL = Label(Kind.STRUCTURE, "model record")
_NODES = Label(Kind.STRUCTURE, "nodes")
_PORTS = Label(Kind.STRUCTURE, "inputs and outputs")
_FUNCTIONS = Label(Kind.STRUCTURE, "functions")
_ORIGIN = Label(Kind.METADATA, "producer and version")
_SHAPES = Label(Kind.METADATA, "shapes of intermediate values")
_PROPERTIES = Label(Kind.METADATA, "properties")
#: How deep branches may lie in branches.
_DEEPEST = 64

_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
_MODEL_LABELS = {2: _ORIGIN, 3: _ORIGIN, 5: _ORIGIN, 6: DOCUMENTATION, 14: _PROPERTIES}
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_GRAPH_LABELS = {10: DOCUMENTATION, 11: _PORTS, 12: _PORTS, 13: _SHAPES, 16: _PROPERTIES}
_NODE_ATTRIBUTE = 5
_NODE_LABELS = {6: DOCUMENTATION, 9: DOCUMENTATION}
_FUNCTION_NODE, _FUNCTION_ATTRIBUTE = 7, 11
_FUNCTION_LABELS = {8: DOCUMENTATION, 13: _SHAPES, 14: _PROPERTIES}


class Node(NamedTuple):
    """A node, with those of its attributes that hold data."""

    operator: str
    """With its domain, unless that is ONNX's own."""
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: tuple[Raw, ...]
    """Named by their attributes."""
    integers: dict[str, int]
    """Attributes that are one integer."""


class Visitor(Protocol):
    """Who wants to know what a walk meets."""

    def initializer(self, raw: Raw, *, training: bool) -> None:
        """An initialiser; those of a graph come before its nodes."""

    def node(self, node: Node) -> None:
        """A node; those of its branches come before it."""

    def port(self, message: Field, *, is_input: bool) -> None:
        """An input or output of the model itself, as a ValueInfoProto."""


class Walk:
    """One pass over the model that a region holds."""

    def __init__(self, region: Region, visitor: Visitor) -> None:
        self._region = region
        self._data = region.span.data
        self._visitor = visitor
        self._training = False
        self._attributes = Attributes(region, self._branch)

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
        """Initialisers first, so that a node's weights are known when it is met."""
        if depth > _DEEPEST:
            raise Damage(f"its branches lie more than {_DEEPEST} deep in each other")
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
            if field.wire == BYTES and field.number in (1, 2):
                self._graph(field, _MODEL, 0)
            else:
                self._claim(field, _MODEL)
        self._training = False

    def _node(self, message: Field, depth: int) -> None:
        self._claim_head(message, _NODES)
        texts: dict[int, list[str]] = {1: [], 2: [], 3: [""], 4: [""], 7: [""]}
        attributes = []
        for field in fields(self._data, message.start, message.stop):
            if field.number == _NODE_ATTRIBUTE:
                attributes.append(field)
                continue
            self._claim(field, _NODE_LABELS.get(field.number, _NODES))
            if field.number in texts:
                texts[field.number].append(text(self._data, field))
        domain, operator = texts[7][-1], texts[4][-1]
        if domain not in ("", "ai.onnx"):
            operator = f"{domain}.{operator}"
        read = [self._attributes.read(field, operator, depth) for field in attributes]
        tensors = tuple(raw for attribute in read for raw in attribute.tensors)
        integers = {attribute.name: attribute.integer for attribute in read if attribute.integer is not None}
        self._visitor.node(Node(operator, texts[3][-1], tuple(texts[1]), tuple(texts[2]), tensors, integers))


ATTRIBUTES = Label(Kind.STRUCTURE, "attributes")
_NAME, _INTEGER = 1, 3
_TENSORS, _GRAPHS, _SPARSE = (5, 10), (6, 11), (22, 23)
#: Fields that hold a list: its type, and the wire type of one value where they are packed.
_LISTS = {7: ("float32", FIXED32), 8: ("int64", VARINT), 9: ("string", BYTES)}
#: Operators of ONNX's own domain whose lists are data, as all lists of `ai.onnx.ml` are.
_DATA_OPERATORS = ("Constant", "TfIdfVectorizer")


class Attribute(NamedTuple):
    """An attribute, as far as the anatomy needs it."""

    name: str
    tensors: tuple[Raw, ...]
    """Under the attribute's name."""
    integer: int | None


class Attributes:
    """Reads attributes in `region`; what they hold is entered, and branches are handed to `branch`."""

    def __init__(self, region: Region, branch: Callable[[Field, int], None]) -> None:
        self._region = region
        self._branch = branch

    def read(self, message: Field, operator: str, depth: int) -> Attribute:
        """An AttributeProto of a node of this operator, `depth` branches deep."""
        data = self._region.span.data
        self._region.claim(message.begin, message.start - message.begin, ATTRIBUTES)
        is_data = operator in _DATA_OPERATORS or operator.startswith("ai.onnx.ml.")
        name, integer, found = "", None, list[Raw]()
        at = message.start
        while at < message.stop:
            field = field_at(data, at, message.stop)
            at = field.stop
            if field.number in _LISTS:
                at = self._list(field, message.stop, found if is_data else None)
            elif not self._holder(field, found, depth):
                self._region.claim(field.begin, field.stop - field.begin, ATTRIBUTES)
                if field.number == _NAME:
                    name = text(data, field)
                elif field.number == _INTEGER:
                    integer = signed(field.value)
        return Attribute(name, tuple(raw._replace(name=name) for raw in found), integer)

    def _holder(self, field: Field, found: list[Raw], depth: int) -> bool:
        """Whether the field is a tensor or a graph; then it is read."""
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
        """Enter a list, as data when there is a place for it in `found`; the answer is where it ends."""
        dtype, wire = _LISTS[field.number]
        run = run_at(self._region.span.data, field, stop, wire)
        self._region.claim(field.begin, run.start - field.begin, ATTRIBUTES)
        self._region.claim(run.start, run.stop - run.start, ATTRIBUTES if found is None else TENSOR)
        if found is not None:
            encoding = "" if run.start > field.begin and wire != VARINT else "unpacked"
            found.append(Raw("", dtype, (run.values,), ((run.start, run.stop - run.start),), encoding, {}))
        return run.stop
