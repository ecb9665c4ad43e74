"""Inputs, outputs and arithmetic of an `.onnx` file.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, messages ValueInfoProto, TypeProto and TensorShapeProto.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.encodings.wire import Field, fields, signed, text
from edgecheck.anatomy.onnx.graph import Node, Walk
from edgecheck.anatomy.onnx.tensors import Raw, tensor_type
from edgecheck.anatomy.signature import Port, Signature, Variant, variant_of

#: Operators that multiply by weights in the type of these.
_MULTIPLIES = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "com.microsoft.FusedMatMul")
#: Operators that multiply integers.
_INTEGER = ("QLinearConv", "QLinearMatMul", "com.microsoft.QGemm", "com.microsoft.QLinearConvTranspose")
#: Operators that multiply integers after quantising their inputs.
_DYNAMIC = (
    "ConvInteger", "MatMulInteger", "com.microsoft.DynamicQuantizeMatMul", "com.microsoft.DynamicQuantizeLSTM",
    "com.microsoft.MatMulIntegerToFloat",
)  # fmt: skip
#: Operators that convert their weights to floats.
_WEIGHT_ONLY = ("com.microsoft.MatMulNBits",)
#: Operators that keep the numbers of their first input, or some of them.
_SAME_NUMBERS = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Relu", "MaxPool", "Concat")


class _Reading:
    """A `Visitor` that follows where weights and activations were converted to floats."""

    def __init__(self) -> None:
        self.operators: Counter[str] = Counter()
        self.weights: Counter[Variant] = Counter()
        self.inputs: list[Field] = []
        self.outputs: list[Field] = []
        self.constants: dict[str, Raw] = {}
        self._dequantised: dict[str, Raw | None] = {}
        """By value: the constant that was converted to it, or `None` for an activation."""

    def initializer(self, raw: Raw, *, training: bool) -> None:
        """See `Visitor`."""
        if not training:
            self.constants[raw.name] = raw

    def port(self, message: Field, *, is_input: bool) -> None:
        """See `Visitor`."""
        (self.inputs if is_input else self.outputs).append(message)

    def node(self, node: Node) -> None:
        """See `Visitor`."""
        self.operators[node.operator] += 1
        first, result = (*node.inputs, "")[0], (*node.outputs, "")[0]
        if node.operator == "Constant" and node.tensors:
            self.constants[result] = node.tensors[0]
        elif node.operator == "DequantizeLinear":
            self._dequantised[result] = self.constants.get(first)
        elif node.operator in _SAME_NUMBERS and first in self._dequantised:
            self._dequantised[result] = self._dequantised[first]
        elif node.operator in _SAME_NUMBERS and first in self.constants:
            self.constants[result] = self.constants[first]
        else:
            self._count(node)

    def _count(self, node: Node) -> None:
        if node.operator in _MULTIPLIES:
            integers = (*node.inputs, "")[0] in self._dequantised
            for name in node.inputs[1:]:
                self._add(name, integers=integers)
            return
        variants = ((_INTEGER, Variant.INT8), (_DYNAMIC, Variant.INT8_DYNAMIC), (_WEIGHT_ONLY, Variant.INT8_WEIGHTS))
        for operators, variant in variants:
            if node.operator in operators:
                known = [self.constants[name] for name in node.inputs[1:] if name in self.constants]
                self.weights[variant] += sum(prod(raw.shape) for raw in known if len(raw.shape) > 1)

    def _add(self, name: str, *, integers: bool) -> None:
        """Count a weight of a float operator; after a DequantizeLinear it is an integer, which a runtime may fuse."""
        packed = self._dequantised.get(name)
        raw = packed or self.constants.get(name)
        if raw is None or len(raw.shape) < 2:  # noqa: PLR2004 - a bias, which is added
            return
        if packed is not None and is_quantised(packed.dtype):
            variant = Variant.INT8 if integers else Variant.INT8_WEIGHTS
        else:
            variant = Variant.FLOAT16 if raw.dtype in ("float16", "bfloat16") else Variant.FLOAT32
        self.weights[variant] += prod(raw.shape)


def read_signature(files: Files, _name: str = "") -> Signature:
    """The signature of the main graph; inputs that are also initialisers, as before IR 4, are left out."""
    region = files.main()
    reading = _Reading()
    Walk(region, reading).model()
    data = region.span.data
    ports = [_port(data, message) for message in reading.inputs]
    return Signature(
        inputs=tuple(port for port in ports if port.name not in reading.constants),
        outputs=tuple(_port(data, message) for message in reading.outputs),
        operators=dict(reading.operators),
        variant=variant_of(reading.weights),
        stateful=False,
    )


def _port(data: mmap.mmap | bytes, message: Field) -> Port:
    value = read_value(data, message)
    return Port(value.name, value.dtype, value.shape or (), value.symbols)


class ValueInfo(NamedTuple):
    """A value of a graph."""

    name: str
    dtype: str
    """Empty for anything but a tensor."""
    shape: tuple[int | None, ...] | None
    """`None` for a dimension that the model leaves open, and in place of the tuple where the file does not say."""
    symbols: tuple[str, ...]
    """By dimension; see `Port`."""


def read_value(data: mmap.mmap | bytes, message: Field) -> ValueInfo:
    """A ValueInfoProto.

    Raises:
        Damage: its bytes are not those of one.
    """
    name, dtype, symbols = "", "", tuple[str, ...]()
    shape: tuple[int | None, ...] | None = None
    for field in fields(data, message.start, message.stop):
        if field.number == 1:  # name
            name = text(data, field)
        for tensor in _nested(data, field, 2, 1):  # type, tensor_type
            if tensor.number == 1:  # elem_type
                dtype = tensor_type(tensor.value)
            elif tensor.number == 2:  # noqa: PLR2004 - shape
                sizes = tuple(fields(data, tensor.start, tensor.stop))
                shape = tuple(_dimension(data, each) for each in sizes)
                symbols = tuple(_symbol(data, each) for each in sizes)
    return ValueInfo(name, dtype, shape, symbols)


def _nested(data: mmap.mmap | bytes, field: Field, outer: int, inner: int) -> Iterator[Field]:
    """The fields of the message `inner` in the message `outer`, if `field` is that."""
    if field.number == outer:
        for part in fields(data, field.start, field.stop):
            if part.number == inner:
                yield from fields(data, part.start, part.stop)


def _dimension(data: mmap.mmap | bytes, message: Field) -> int | None:
    """A Dimension: its size, or `None` if it has a name, nothing, or the -1 that some exporters write."""
    for field in fields(data, message.start, message.stop):
        if field.number == 1 and signed(field.value) >= 0:  # dim_value
            return signed(field.value)
    return None


def _symbol(data: mmap.mmap | bytes, message: Field) -> str:
    """The name of a Dimension without a size."""
    for field in fields(data, message.start, message.stop):
        if field.number == 2:  # noqa: PLR2004 - dim_param
            return text(data, field)
    return ""
