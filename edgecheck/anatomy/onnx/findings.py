"""What a walk through an ONNX model finds: its constants, and which node uses each first."""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.accounting.limits import check_parts, check_tensors
from edgecheck.anatomy.encodings.wire import signed, varint
from edgecheck.anatomy.onnx.graph import Node
from edgecheck.anatomy.onnx.tensors import Raw
from edgecheck.anatomy.scopes import layer_of

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.region import Region
    from edgecheck.anatomy.encodings.wire import Field

_LONGEST_SHAPE = 64
_THROUGH = ("DequantizeLinear", "QuantizeLinear", "Cast", "Transpose", "Reshape", "Identity", "Unsqueeze", "Squeeze")
"""Operators behind which the real user of a weight stands."""


class User(NamedTuple):
    """Who takes a constant."""

    operator: str
    """The first operator that does not only unpack it."""
    layer: str
    taker: str
    """The first operator of all, to which `position` and `integers` belong."""
    position: int
    """Which of its inputs the constant is."""
    integers: dict[str, int]
    """Its attributes that are one integer."""


class Constant(NamedTuple):
    """A tensor or a list that the file holds, or makes when it is loaded."""

    raw: Raw
    owner: Node | None
    """The node whose attribute it is."""
    training: bool


class Findings:
    """A `Visitor` that collects constants, in the order of the file, and their users."""

    def __init__(self, region: Region) -> None:
        self.constants: list[Constant] = []
        self.users: dict[str, User] = {}
        self.operators: Counter[str] = Counter()
        self._nodes = 0
        self._region = region
        self._known: dict[str, Raw] = {}
        self._aliases: dict[str, str] = {}

    def initializer(self, raw: Raw, *, training: bool) -> None:
        """See `Visitor`."""
        self._known[raw.name] = raw
        self.constants.append(Constant(raw, None, training))
        check_tensors(len(self.constants))

    def node(self, node: Node) -> None:
        """See `Visitor`."""
        self.operators[node.operator] += 1
        self._nodes += 1
        check_parts(self._nodes)
        self._note_uses(node)
        if node.operator == "Constant":
            for raw in node.tensors[:1]:
                self.initializer(raw._replace(name=node.outputs[0] if node.outputs else ""), training=False)
        elif node.operator == "ConstantOfShape":
            self._constant_of_shape(node)
        else:
            self.constants += [Constant(raw, node, training=False) for raw in node.tensors]
            check_tensors(len(self.constants))

    def port(self, message: Field, *, is_input: bool) -> None:
        """See `Visitor`; the anatomy does not need them."""

    def _note_uses(self, node: Node) -> None:
        for position, given in enumerate(node.inputs):
            name = self._aliases.get(given, given)
            if name not in self._known:
                continue
            if node.operator in _THROUGH and position == 0 and node.outputs:
                self._aliases[node.outputs[0]] = name
            layer = layer_of_node(node)
            first = self.users.setdefault(name, User(node.operator, layer, node.operator, position, node.integers))
            if first.operator in _THROUGH:
                self.users[name] = first._replace(operator=node.operator, layer=layer)

    def _constant_of_shape(self, node: Node) -> None:
        """A tensor that is made on loading, when its shape is a constant of the file."""
        name = self._aliases.get(node.inputs[0], node.inputs[0]) if node.inputs else ""
        value = node.tensors[0] if node.tensors else Raw("", "float32", (), (), "", {})
        shape = self._values(self._known[name]) if name in self._known else None
        if shape is None or not node.outputs:
            self.constants += [Constant(raw, node, training=False) for raw in node.tensors]
            return
        filled = value._replace(name=node.outputs[0], shape=shape, encoding="filled")
        self.initializer(filled, training=False)

    def _values(self, raw: Raw) -> tuple[int, ...] | None:
        """The integers of a short int64 tensor, or `None`."""
        if raw.external or raw.dtype != "int64" or raw.encoding not in ("", "varint"):
            return None
        if sum(size for _, size in raw.spans) > 10 * _LONGEST_SHAPE:
            return None
        values: list[int] = []
        for start, size in raw.spans:
            if raw.encoding == "varint":
                at = start
                while at < start + size:
                    value, at = varint(self._region.span.data, at, start + size)
                    values.append(signed(value))
            else:
                values += struct.unpack(f"<{size // 8}q", self._region.span.raw(start, size - size % 8))
        return tuple(max(value, 0) for value in values)


def layer_of_node(node: Node) -> str:
    """The layer that a node belongs to, by its name or by that of its result."""
    return layer_of(node.name) or layer_of(node.outputs[0] if node.outputs else "")
