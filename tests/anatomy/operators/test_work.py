"""Multiply-accumulates, by hand, against counts that follow from the definition of each operator."""

from __future__ import annotations

import pytest

from edgecheck.anatomy.operators.graph import FileOperator
from edgecheck.anatomy.operators.work import Shape, macs


def count(kind: str, *inputs: Shape | None, output: Shape | None, **integers: int) -> int | None:
    return macs(FileOperator(name="one", type=kind, graph=0, place=0, integers=integers), inputs, output)


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "expected"),
    [
        # 1 x 8 outputs channels, 10 x 10 places, each the sum of 3 x 3 x 4 products
        ("Conv", [(1, 4, 12, 12), (8, 4, 3, 3)], (1, 8, 10, 10), 8 * 100 * 36),
        ("Conv", [(1, 8, 12, 12), (8, 1, 3, 3)], (1, 8, 10, 10), 8 * 100 * 9),  # depthwise, by its group
        ("QLinearConv", [(1, 4, 12, 12), (), (), (8, 4, 3, 3)], (1, 8, 10, 10), 8 * 100 * 36),
        ("ConvTranspose", [(1, 4, 5, 5), (4, 8, 2, 2)], (1, 8, 10, 10), 4 * 25 * 8 * 4),
        ("MatMul", [(2, 3, 5), (5, 7)], (2, 3, 7), 2 * 3 * 7 * 5),
        ("Gemm", [(3, 5), (5, 7)], (3, 7), 3 * 7 * 5),
        ("LSTM", [(10, 2, 3), (1, 16, 3), (1, 16, 4)], (10, 1, 2, 4), 10 * 2 * (48 + 64)),
        ("CONV_2D", [(1, 12, 12, 4), (8, 3, 3, 4)], (1, 10, 10, 8), 8 * 100 * 36),
        ("DEPTHWISE_CONV_2D", [(1, 12, 12, 8), (1, 3, 3, 8)], (1, 10, 10, 8), 8 * 100 * 9),
        ("TRANSPOSE_CONV", [(4,), (8, 2, 2, 4), (1, 5, 5, 4)], (1, 10, 10, 8), 100 * 32),
        ("FULLY_CONNECTED", [(1, 5), (7, 5)], (1, 7), 35),
        ("BATCH_MATMUL", [(2, 3, 5), (2, 5, 7)], (2, 3, 7), 2 * 3 * 7 * 5),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 6)], (1, 2, 2, 2, 6), 8 * 6 * 54),
    ],
)
def test_formulas(kind: str, inputs: list[Shape], output: Shape, expected: int) -> None:
    assert count(kind, *inputs, output=output) == expected


def test_a_transposed_matrix_and_packed_weights() -> None:
    assert count("Gemm", (5, 3), (5, 7), output=(3, 7), transA=1) == 105
    assert count("com.microsoft.MatMulNBits", (1, 64), None, output=(1, 8), K=64) == 512
    assert count("com.microsoft.MatMulNBits", (1, 64), None, output=(1, 8)) is None


def test_what_is_not_known_stays_unknown() -> None:
    assert count("Relu", (1, 8), output=(1, 8)) is None
    for inputs, output in (([(1, 4, 12, 12), None], (1, 8, 10, 10)), ([(1, 4)], (1, 8)), ([(1, 4), (8, 4)], None)):
        assert count("Conv", *inputs, output=output) is None
    assert count("Conv", (1, 4, 12, 12), (0, 4, 3, 3), output=(1, 8, 10, 10)) is None
    assert count("Conv", (1, 4, 12, 12), (8, 4, 3, 3), output=(1, 8, -1, 10)) is None
    assert count("Gemm", (), (5, 7), output=(3, 7)) is None
