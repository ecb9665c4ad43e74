"""Reads `.onnx`: the weights in initialisers, constant nodes, branches, attributes and other files.

What inputs mean is in the operators' documentation: https://onnx.ai/onnx/operators/ and, for `com.microsoft`,
docs/ContribOperators.md of ONNX Runtime. `graph` and `tensors` follow the file format.
"""

from __future__ import annotations

import struct
from collections import Counter
from math import prod
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.limits import (
    MOST_DIGITS,
    check_parts,
    check_size,
    check_tensors,
    checked_shape,
    quoted,
)
from edgecheck.anatomy.accounting.region import Held, Owners, Region
from edgecheck.anatomy.dtypes import dense_size, is_float, is_quantised
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import Field, signed, varint
from edgecheck.anatomy.onnx.graph import Node, Walk
from edgecheck.anatomy.onnx.tensors import Raw
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Role, Tensor

#: Exporters align weights in other files to up to 64 KiB.
_EXTERNAL_ALIGNMENT = (64 << 10) + 1
#: Inputs that are scales and zero points: parameters of the quantisation, not of the model.
_SCALES = {
    "DequantizeLinear": (1, 2),
    "QuantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "com.microsoft.DynamicQuantizeMatMul": (2, 3),
    "com.microsoft.DynamicQuantizeLSTM": (8, 9, 10, 11),
    "com.microsoft.MatMulNBits": (2, 3, 4),
}
#: Inputs where an int32 is a quantised bias; elsewhere it is a shape or an index.
_INT32_WEIGHTS = {"QLinearConv": 8, "DequantizeLinear": 0, "com.microsoft.QGemm": 6}
#: Attributes of trees that are not learned.
_NO_WEIGHTS = ("nodes_hitrates", "nodes_modes")
#: Operators that only pass a weight on to the one that computes with it.
_THROUGH = ("DequantizeLinear", "QuantizeLinear", "Cast", "Transpose", "Reshape", "Identity", "Unsqueeze", "Squeeze")
#: Dimensions of a shape that is read from a constant.
_LONGEST_SHAPE = 64


def read_onnx(files: Files) -> Inside:
    """The constants of a model; a `reading.Reader`."""
    region = files.main()
    findings = _Findings(region)
    Walk(region, findings).model()
    owners = Owners()
    tensors = tuple(
        _tensor(constant, findings.users, _where(constant.raw, region, (files, owners)))
        for constant in findings.constants
    )
    return Inside(tensors, dict(findings.operators))


class _User(NamedTuple):
    """The nodes that use a constant first."""

    operator: str
    """The first operator that does more than pass it on."""
    layer: str
    taker: str
    """The very first operator, to which `position` and `integers` belong."""
    position: int
    """Which of its inputs the constant is."""
    integers: dict[str, int]
    """Its attributes with a single integer."""


class _Constant(NamedTuple):
    """A tensor or a list that the file holds, or that is generated when it is loaded."""

    raw: Raw
    owner: Node | None
    """The node whose attribute it is."""
    training: bool


class _Findings:
    """A `Visitor` that collects the constants, in the order of the file, and their first users."""

    def __init__(self, region: Region) -> None:
        self.constants: list[_Constant] = []
        self.users: dict[str, _User] = {}
        self.operators: Counter[str] = Counter()
        self._nodes = 0
        self._region = region
        self._known: dict[str, Raw] = {}
        self._aliases: dict[str, str] = {}

    def initializer(self, raw: Raw, *, training: bool) -> None:
        """See `Visitor`."""
        self._known[raw.name] = raw
        self.constants.append(_Constant(raw, None, training))
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
            self.constants += [_Constant(raw, node, training=False) for raw in node.tensors[1:]]
        elif node.operator == "ConstantOfShape":
            self._constant_of_shape(node)
        else:
            self.constants += [_Constant(raw, node, training=False) for raw in node.tensors]
            check_tensors(len(self.constants))

    def port(self, message: Field, *, is_input: bool) -> None:
        """See `Visitor`; ports are not constants."""

    def _note_uses(self, node: Node) -> None:
        for position, given in enumerate(node.inputs):
            name = self._aliases.get(given, given)
            if name not in self._known:
                continue
            if node.operator in _THROUGH and position == 0 and node.outputs:
                self._aliases[node.outputs[0]] = name
            layer = _layer_of_node(node)
            first = self.users.setdefault(name, _User(node.operator, layer, node.operator, position, node.integers))
            if first.operator in _THROUGH:
                self.users[name] = first._replace(operator=node.operator, layer=layer)

    def _constant_of_shape(self, node: Node) -> None:
        """Add a tensor that is generated on loading, if its shape is a constant of the file."""
        name = self._aliases.get(node.inputs[0], node.inputs[0]) if node.inputs else ""
        value = node.tensors[0] if node.tensors else Raw("", "float32", (), (), "", {})
        shape = self._values(self._known[name]) if name in self._known else None
        if shape is None or not node.outputs:
            self.constants += [_Constant(raw, node, training=False) for raw in node.tensors]
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
        return checked_shape(tuple(max(value, 0) for value in values))


def _layer_of_node(node: Node) -> str:
    """The layer of a node, by its name or by that of its result."""
    return layer_of(node.name) or layer_of(node.outputs[0] if node.outputs else "")


def _tensor(constant: _Constant, users: dict[str, _User], held: Held) -> Tensor:
    raw, owner, training = constant
    user = users.get(raw.name) if owner is None else None
    name = raw.name
    layer = layer_of(name) or (user.layer if user else "")
    operator = user.operator if user else ""
    if owner is not None:
        layer, operator = _layer_of_node(owner), owner.operator
        name = f"{owner.name or (owner.outputs or ('',))[0]}.{raw.name}"
    dtype, shape = _unpacked_bits(raw, user)
    if raw.encoding == "" and owner is None:
        check_size(name, raw.dtype, raw.shape, sum(place.size for place in held.places))
    return Tensor(
        name=name,
        layer=layer,
        operator=operator,
        dtype=dtype,
        shape=shape,
        role=Role.OPTIMIZER if training else _role(raw, user),
        stored=held.stored,
        memory=dense_size(dtype, prod(shape)) or held.stored,
        places=held.places,
        shares=held.shares,
        encoding=raw.encoding,
    )


def _unpacked_bits(raw: Raw, user: _User | None) -> tuple[str, tuple[int, ...]]:
    """Type and shape; for the weights that ONNX Runtime packs into bytes, the node says them."""
    if user and user.taker == "com.microsoft.MatMulNBits" and user.position == 1:
        bits, rows, columns = (user.integers.get(key, 0) for key in ("bits", "N", "K"))
        packed = f"uint{bits or 4}"
        if min(rows, columns) > 0 and 0 < dense_size(packed, rows * columns) <= dense_size(raw.dtype, prod(raw.shape)):
            return packed, (rows, columns)
    return raw.dtype, raw.shape


def _role(raw: Raw, user: _User | None) -> Role:
    if raw.dtype == "string":
        return Role.CONSTANT if raw.name in _NO_WEIGHTS else Role.VOCABULARY
    if user and user.position in _SCALES.get(user.taker, ()):
        return Role.CONSTANT
    if raw.dtype == "int32":
        return Role.WEIGHT if user and _INT32_WEIGHTS.get(user.taker) == user.position else Role.CONSTANT
    learned = (is_float(raw.dtype) or is_quantised(raw.dtype)) and raw.name not in _NO_WEIGHTS
    return Role.WEIGHT if learned else Role.CONSTANT


def _where(raw: Raw, region: Region, elsewhere: tuple[Files, Owners]) -> Held:
    """Bytes stored, and their places; bytes in another file are claimed there."""
    if not raw.external:
        return Held(sum(size for _, size in raw.spans), tuple(region.place(*span) for span in raw.spans), "")
    files, owners = elsewhere
    file = files.open(raw.external.get("location", ""), _EXTERNAL_ALIGNMENT)
    offset = _number(raw, "offset", 0)
    return owners.hold(raw.name, file, (offset, _number(raw, "length", file.span.size - offset)))


def _number(raw: Raw, key: str, default: int) -> int:
    value = raw.external.get(key, str(default))
    if not value.isascii() or not value.isdigit() or len(value) > MOST_DIGITS:
        raise Damage(f"tensor {quoted(raw.name)} has the {key} {quoted(value)} in its external data")
    return int(value)
