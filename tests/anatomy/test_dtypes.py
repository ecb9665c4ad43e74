"""Sizes of types, and which of them weights have."""

from __future__ import annotations

import pytest

from edgecheck.anatomy.dtypes import dense_count, dense_size, is_float, is_quantised


@pytest.mark.parametrize(
    ("dtype", "elements", "size"),
    [("float32", 3, 12), ("int4", 3, 2), ("uint2", 5, 2), ("bool", 3, 3), ("complex128", 2, 32), ("string", 9, 0)],
)
def test_sizes_are_those_of_packed_arrays(dtype: str, elements: int, size: int) -> None:
    assert dense_size(dtype, elements) == size


def test_counts_are_what_a_size_holds() -> None:
    assert [dense_count(dtype, 10) for dtype in ("float32", "int4", "string")] == [2, 20, 0]


def test_weights_are_floats_or_small_integers() -> None:
    assert all(is_float(dtype) for dtype in ("float64", "bfloat16", "float8_e5m2", "complex64"))
    assert all(is_quantised(dtype) for dtype in ("int8", "uint4", "int16"))
    assert not any(is_float(dtype) or is_quantised(dtype) for dtype in ("int32", "int64", "bool", "string"))
