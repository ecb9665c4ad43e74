"""The types of numbers: how many bits one takes, and which types weights have."""

from __future__ import annotations

_BITS = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16,
    "float8_e4m3fn": 8, "float8_e4m3fnuz": 8, "float8_e5m2": 8, "float8_e5m2fnuz": 8, "float8_e8m0": 8,
    "float4_e2m1": 4, "int2": 2, "uint2": 2, "int4": 4, "uint4": 4,
    "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64, "uint64": 64,
    "bool": 8, "complex64": 64, "complex128": 128,
}  # fmt: skip
#: How the names of types of learned numbers begin.
_WEIGHTS = ("float", "bfloat", "complex")
_QUANTISED = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16")


def dense_size(dtype: str, elements: int) -> int:
    """Bytes of `elements` numbers of this type; those smaller than a byte are packed. 0 for types without a size."""
    return (elements * _BITS.get(dtype, 0) + 7) // 8


def dense_count(dtype: str, size: int) -> int:
    """How many numbers of this type `size` bytes hold; 0 for types without a size, such as `string`."""
    bits = _BITS.get(dtype, 0)
    return size * 8 // bits if bits else 0


def is_float(dtype: str) -> bool:
    """Whether this is a type in which weights are learned."""
    return dtype.startswith(_WEIGHTS)


def is_quantised(dtype: str) -> bool:
    """Whether quantised weights may have this type: integers of up to 16 bits."""
    return dtype in _QUANTISED
