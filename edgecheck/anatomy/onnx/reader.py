"""Reads `.onnx`: weights in initialisers, constant nodes, branches, attributes and other files."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.limits import check_size
from edgecheck.anatomy.dtypes import dense_size, is_float, is_quantised
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.onnx.findings import Constant, Findings, User, layer_of_node
from edgecheck.anatomy.onnx.graph import Walk
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Role, Tensor

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.accounting.region import Region
    from edgecheck.anatomy.onnx.tensors import Raw
    from edgecheck.anatomy.values import Place

_EXTERNAL_ALIGNMENT = 65_537
"""Exporters align weights in other files to up to 64 KiB."""
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
"""Inputs that are scales and zero points: parameters of the quantisation, not of the model."""
_INT32_WEIGHTS = {"QLinearConv": 8, "DequantizeLinear": 0, "com.microsoft.QGemm": 6}
"""Inputs where an int32 is a quantised bias; elsewhere it is a shape or an index."""
_NO_WEIGHTS = ("nodes_hitrates", "nodes_modes")
"""Attributes of trees that are not learned."""


def read_onnx(files: Files) -> Inside:
    """See `reading.Reader`."""
    region = files.main()
    findings = Findings(region)
    Walk(region, findings).model()
    tensors = tuple(
        _tensor(constant, findings.users, _where(constant.raw, region, files)) for constant in findings.constants
    )
    return Inside(tensors, dict(findings.operators))


def _tensor(constant: Constant, users: dict[str, User], places: tuple[int, tuple[Place, ...]]) -> Tensor:
    raw, owner, training = constant
    user = users.get(raw.name) if owner is None else None
    name = raw.name
    layer = layer_of(name) or (user.layer if user else "")
    operator = user.operator if user else ""
    if owner is not None:
        layer, operator = layer_of_node(owner), owner.operator
        name = f"{owner.name or (owner.outputs or ('',))[0]}.{raw.name}"
    dtype, shape = _unpacked_bits(raw, user)
    stored, where = places
    if raw.encoding == "" and owner is None:
        check_size(name, raw.dtype, raw.shape, sum(place.size for place in where))
    return Tensor(
        name=name,
        layer=layer,
        operator=operator,
        dtype=dtype,
        shape=shape,
        role=Role.OPTIMIZER if training else _role(raw, user),
        stored=stored,
        memory=dense_size(dtype, prod(shape)) or stored,
        places=where,
        encoding=raw.encoding,
    )


def _unpacked_bits(raw: Raw, user: User | None) -> tuple[str, tuple[int, ...]]:
    """Type and shape; those of 4-bit weights that ONNX Runtime packs into bytes are the node's."""
    if user and user.taker == "com.microsoft.MatMulNBits" and user.position == 1:
        bits, rows, columns = (user.integers.get(key, 0) for key in ("bits", "N", "K"))
        return f"uint{bits or 4}", (rows, columns)
    return raw.dtype, raw.shape


def _role(raw: Raw, user: User | None) -> Role:
    if raw.dtype == "string":
        return Role.CONSTANT if raw.name in _NO_WEIGHTS else Role.VOCABULARY
    if user and user.position in _SCALES.get(user.taker, ()):
        return Role.CONSTANT
    if raw.dtype == "int32":
        return Role.WEIGHT if user and _INT32_WEIGHTS.get(user.taker) == user.position else Role.CONSTANT
    learned = (is_float(raw.dtype) or is_quantised(raw.dtype)) and raw.name not in _NO_WEIGHTS
    return Role.WEIGHT if learned else Role.CONSTANT


def _where(raw: Raw, region: Region, files: Files) -> tuple[int, tuple[Place, ...]]:
    """Bytes stored and their places; what is in another file is entered there."""
    if not raw.external:
        return sum(size for _, size in raw.spans), tuple(region.place(*span) for span in raw.spans)
    file = files.open(raw.external.get("location", ""), _EXTERNAL_ALIGNMENT)
    offset = _number(raw, "offset", 0)
    return file.tensor(offset, _number(raw, "length", file.span.size - offset))


def _number(raw: Raw, key: str, default: int) -> int:
    value = raw.external.get(key, str(default))
    if not value.isascii() or not value.isdigit():
        raise Damage(f"tensor {raw.name!r} has the {key} {value!r} in its other file")
    return int(value)
