"""TensorFlow's types and shapes, as its protocol buffers write them.

https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/framework: DataType in types.proto, and message
TensorShapeProto in tensor_shape.proto.
"""

from __future__ import annotations

import mmap

from edgecheck.anatomy.dtypes import is_float, is_quantised
from edgecheck.anatomy.encodings.wire import Field, fields, signed
from edgecheck.anatomy.values import Role

#: DataType, under the names that all formats share here; quantised types by their integers.
_TYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 11: "int8", 12: "uint8", 13: "int32", 14: "bfloat16", 15: "int16", 16: "uint16",
    17: "uint16", 18: "complex128", 19: "float16", 20: "resource", 21: "variant", 22: "uint32", 23: "uint64",
    24: "float8_e5m2", 25: "float8_e4m3fn", 29: "int4", 30: "uint4",
}  # fmt: skip


def type_name(number: int) -> str:
    """The name of a DataType."""
    return _TYPES.get(number, f"type{number}")


def shape_of(data: mmap.mmap | bytes, message: Field) -> tuple[int, ...]:
    """A TensorShapeProto; open dimensions are 0."""
    sizes = []
    for dimension in fields(data, message.start, message.stop):
        if dimension.number == 2:  # noqa: PLR2004 - dim
            numbers = {field.number: field.value for field in fields(data, dimension.start, dimension.stop)}
            sizes.append(max(0, signed(numbers.get(1, 0))))  # size; -1 is open
    return tuple(sizes)


def role_of(dtype: str) -> Role:
    """What a variable of this type is for."""
    if dtype == "string":
        return Role.VOCABULARY
    return Role.WEIGHT if is_float(dtype) or is_quantised(dtype) else Role.CONSTANT
