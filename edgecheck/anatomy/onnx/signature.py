"""Inputs, outputs and arithmetic of an `.onnx` file."""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator
from math import prod

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.encodings.wire import Field, fields, signed, text
from edgecheck.anatomy.onnx.graph import Node, Walk
from edgecheck.anatomy.onnx.tensors import Raw, tensor_type
from edgecheck.anatomy.signature import Port, Signature, Variant, variant_of

#: Operators that multiply with weights in the numbers in which these come.
_MULTIPLIES = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "com.microsoft.FusedMatMul")
_INTEGER = ("QLinearConv", "QLinearMatMul", "com.microsoft.QGemm", "com.microsoft.QLinearConvTranspose")
#: Operators that multiply integers which were floats before.
_DYNAMIC = (
    "ConvInteger", "MatMulInteger", "com.microsoft.DynamicQuantizeMatMul", "com.microsoft.DynamicQuantizeLSTM",
    "com.microsoft.MatMulIntegerToFloat",
)  # fmt: skip
_WEIGHT_ONLY = ("com.microsoft.MatMulNBits",)
_SAME_NUMBERS = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Relu", "MaxPool", "Concat")


class _Reading:
    """A `Visitor` that follows where weights and activations were turned to floats."""

    def __init__(self) -> None:
        self.operators: Counter[str] = Counter()
        self.weights: Counter[Variant] = Counter()
        self.inputs: list[Field] = []
        self.outputs: list[Field] = []
        self.constants: dict[str, Raw] = {}
        self._dequantised: dict[str, Raw | None] = {}
        """By value: the constant that it was, or `None` for an activation."""

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
        """Add a weight of a float operator; one behind a DequantizeLinear is an integer that a runtime may fuse."""
        packed = self._dequantised.get(name)
        raw = packed or self.constants.get(name)
        if raw is None or len(raw.shape) < 2:  # noqa: PLR2004 - biases are not what is multiplied
            return
        if packed is not None and is_quantised(packed.dtype):
            variant = Variant.INT8 if integers else Variant.INT8_WEIGHTS
        else:
            variant = Variant.FLOAT16 if raw.dtype in ("float16", "bfloat16") else Variant.FLOAT32
        self.weights[variant] += prod(raw.shape)


def read_signature(files: Files) -> Signature:
    """The signature of the main graph; initialisers that are also inputs, as before IR 4, are none."""
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
    """A ValueInfoProto; what is no tensor has the type "" and no shape."""
    name, dtype, shape = "", "", tuple[int | None, ...]()
    for field in fields(data, message.start, message.stop):
        if field.number == 1:
            name = text(data, field)
        for tensor in _nested(data, field, 2, 1):
            if tensor.number == 1:
                dtype = tensor_type(tensor.value)
            elif tensor.number == 2:  # noqa: PLR2004 - shape
                shape = tuple(_dimension(data, each) for each in fields(data, tensor.start, tensor.stop))
    return Port(name, dtype, shape)


def _nested(data: mmap.mmap | bytes, field: Field, outer: int, inner: int) -> Iterator[Field]:
    """The fields of a message in a message: of the tensor in the type."""
    if field.number == outer:
        for part in fields(data, field.start, field.stop):
            if part.number == inner:
                yield from fields(data, part.start, part.stop)


def _dimension(data: mmap.mmap | bytes, message: Field) -> int | None:
    """A size, or `None` for a name, for nothing, and for the -1 that some exporters write."""
    for field in fields(data, message.start, message.stop):
        if field.number == 1 and signed(field.value) >= 0:
            return signed(field.value)
    return None
