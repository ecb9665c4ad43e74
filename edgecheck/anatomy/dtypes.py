"""How many bits a number of each type takes, and which types are weights."""

from __future__ import annotations

_BITS = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16,
    "float8_e4m3fn": 8, "float8_e4m3fnuz": 8, "float8_e5m2": 8, "float8_e5m2fnuz": 8, "float8_e8m0": 8,
    "float4_e2m1": 4, "int2": 2, "uint2": 2, "int4": 4, "uint4": 4,
    "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64, "uint64": 64,
    "bool": 8, "complex64": 64, "complex128": 128,
}  # fmt: skip
_WEIGHTS = ("float", "bfloat", "complex")
_QUANTISED = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16")


def dense_size(dtype: str, elements: int) -> int:
    """Bytes of so many numbers of this type, packed tightly where they are smaller than a byte.

    Types without a fixed size, such as `string`, count as nothing.
    """
    return (elements * _BITS.get(dtype, 0) + 7) // 8


def dense_count(dtype: str, size: int) -> int:
    """How many numbers of this type so many bytes hold; none for types without a fixed size."""
    bits = _BITS.get(dtype, 0)
    return size * 8 // bits if bits else 0


def is_float(dtype: str) -> bool:
    """Whether numbers of this type are learned as they are."""
    return dtype.startswith(_WEIGHTS)


def is_quantised(dtype: str) -> bool:
    """Whether this type is what quantisation makes of weights: integers of up to 16 bits."""
    return dtype in _QUANTISED
