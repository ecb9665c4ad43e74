"""Multiply-accumulates of one execution of an operator, by a documented formula for each kind; unknown for any other.

The shapes of weights are those of ONNX's operators (https://onnx.ai/onnx/operators/) and of LiteRT's schema (the
comments of `schema.fbs`); docs/reference/profile-command.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from edgecheck.anatomy.operators.graph import FileOperator

#: A shape.
Shape = tuple[int, ...]

#: Returns the count, given the operator, the shapes of its inputs and of its first output; None for a shape that is not
#: known, or does not fit.
Formula = Callable[[FileOperator, tuple[Shape | None, ...], Shape | None], int | None]


def macs(operator: FileOperator, inputs: tuple[Shape | None, ...], output: Shape | None) -> int | None:
    """The multiply-accumulates of one execution; None where they are not known.

    Args:
        operator: As the file has it.
        inputs: The shapes of its inputs; None for one that is not known.
        output: The shape of its first output.
    """
    formula = _FORMULAS.get(operator.type)
    if formula is None:
        return None
    try:
        return formula(operator, inputs, output)
    except (IndexError, TypeError, ZeroDivisionError):  # a shape is missing, or has too few dimensions
        return None


def _given(shape: Shape | None) -> Shape:
    if shape is None or any(size < 0 for size in shape):
        raise TypeError
    return shape


def _convolution(weight: int, *, outputs: int) -> Formula:
    """Each output element sums over one filter: output elements x weights / output channels."""

    def formula(_operator: FileOperator, inputs: tuple[Shape | None, ...], output: Shape | None) -> int:
        filters = _given(inputs[weight])
        return prod(_given(output)) * prod(filters) // filters[outputs]

    return formula


def _transposed(data: int, weight: int, *, inputs_at: int) -> Formula:
    """Each input element is multiplied with one filter: input elements x weights / input channels."""

    def formula(_operator: FileOperator, inputs: tuple[Shape | None, ...], _output: Shape | None) -> int:
        filters = _given(inputs[weight])
        return prod(_given(inputs[data])) * prod(filters) // filters[inputs_at]

    return formula


def _product(first: int) -> Formula:
    """Output elements x the length of a row of the first matrix."""

    def formula(operator: FileOperator, inputs: tuple[Shape | None, ...], output: Shape | None) -> int:
        left = _given(inputs[first])
        length = left[-2] if operator.integers.get("transA") else left[-1]
        return prod(_given(output)) * length

    return formula


def _packed(operator: FileOperator, _inputs: tuple[Shape | None, ...], output: Shape | None) -> int | None:
    """MatMulNBits: output elements x the attribute K."""
    length = operator.integers.get("K")
    return prod(_given(output)) * length if length else None


def _fully_connected(_operator: FileOperator, inputs: tuple[Shape | None, ...], output: Shape | None) -> int:
    """Output elements x input features: weights are outputs x inputs."""
    return prod(_given(output)) * _given(inputs[1])[-1]


def _depthwise(_operator: FileOperator, inputs: tuple[Shape | None, ...], output: Shape | None) -> int:
    """Output elements x filter height x filter width: weights are 1 x height x width x channels."""
    filters = _given(inputs[1])
    return prod(_given(output)) * filters[1] * filters[2]


def _recurrent(weight: int, recurrence: int) -> Formula:
    """Steps x batch x (weights + recurrent weights), over all gates and directions: X is steps x batch x features."""

    def formula(_operator: FileOperator, inputs: tuple[Shape | None, ...], _output: Shape | None) -> int:
        steps, batch = _given(inputs[0])[:2]
        return steps * batch * (prod(_given(inputs[weight])) + prod(_given(inputs[recurrence])))

    return formula


_CONV, _TRANSPOSED = _convolution(1, outputs=0), _transposed(0, 1, inputs_at=0)

#: By operator. For a float convolution of ONNX, weights are outputs x inputs / group x kernel.
_FORMULAS: Mapping[str, Formula] = {
    "Conv": _CONV,
    "ConvInteger": _CONV,
    "com.microsoft.FusedConv": _CONV,
    "com.microsoft.NhwcConv": _CONV,
    "QLinearConv": _convolution(3, outputs=0),
    "ConvTranspose": _TRANSPOSED,
    "MatMul": _product(0),
    "MatMulInteger": _product(0),
    "Gemm": _product(0),
    "QLinearMatMul": _product(0),
    "com.microsoft.FusedMatMul": _product(0),
    "com.microsoft.FusedGemm": _product(0),
    "com.microsoft.QGemm": _product(0),
    "com.microsoft.DynamicQuantizeMatMul": _product(0),
    "com.microsoft.MatMulIntegerToFloat": _product(0),
    "com.microsoft.MatMulNBits": _packed,
    "LSTM": _recurrent(1, 2),
    "GRU": _recurrent(1, 2),
    "RNN": _recurrent(1, 2),
    "com.microsoft.DynamicQuantizeLSTM": _recurrent(1, 2),
    "CONV_2D": _CONV,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed(2, 1, inputs_at=3),
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _product(0),
    "CONV_3D": _convolution(1, outputs=4),
}
