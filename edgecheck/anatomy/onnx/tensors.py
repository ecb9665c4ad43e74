"""ONNX's tensors: type, shape and name of a TensorProto, and where its numbers are.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, messages TensorProto, SparseTensorProto, StringStringEntryProto.
"""

from __future__ import annotations

import mmap
from collections import defaultdict
from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.accounting.limits import RECORD, checked_shape
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    field_at,
    fields,
    packed,
    run_at,
    text,
)
from edgecheck.anatomy.values import Kind

_TYPES = (
    "undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 "
    "complex128 bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz uint4 int4 float4_e2m1 "
    "float8_e8m0 uint2 int2"
)
#: TensorProto.DataType by number, under the names that all formats share here.
TYPES = tuple(_TYPES.split())
TENSOR_RECORDS = Label(Kind.STRUCTURE, "tensor records")
DOCUMENTATION = Label(Kind.METADATA, "documentation")

#: TensorProto: dims, data_type, name, external_data, data_location.
_DIMS, _DATA_TYPE, _NAME, _EXTERNAL, _LOCATION = 1, 2, 8, 13, 14
#: TensorProto: doc_string, metadata_props.
_LABELS = {12: DOCUMENTATION, 16: DOCUMENTATION}
#: TensorProto's fields with numbers, and the wire type of one value.
_DATA = {
    4: FIXED32,  # float_data
    5: VARINT,  # int32_data
    6: BYTES,  # string_data
    7: VARINT,  # int64_data
    9: BYTES,  # raw_data
    10: FIXED64,  # double_data
    11: VARINT,  # uint64_data
}
_RAW = 9
#: SparseTensorProto: values, indices; the third field is dims.
_SPARSE_VALUES, _SPARSE_INDICES = 1, 2


class Raw(NamedTuple):
    """A TensorProto, or a list of numbers in an attribute."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    """Start and size of its numbers in the file."""
    encoding: str
    external: dict[str, str]
    """`location`, `offset` and `length`, if its numbers are in another file."""


def tensor_type(number: int) -> str:
    """The name of a TensorProto.DataType."""
    return TYPES[number] if 0 <= number < len(TYPES) else f"type{number}"


def read_tensor(region: Region, message: Field) -> Raw:
    """A TensorProto; its numbers and the record around them are claimed."""
    data = region.span.data
    spans: list[tuple[int, int]] = []
    record: dict[int, list[Field]] = defaultdict(list)
    encoding = ""
    region.span.work.spend(8 * RECORD)
    region.claim(message.begin, message.start - message.begin, TENSOR_RECORDS)
    at = message.start
    while at < message.stop:
        field = field_at(data, at, message.stop)
        at = field.stop
        if field.number in _DATA:
            at, encoding = _enter_numbers(region, field, message.stop, spans)
        else:
            region.claim(field.begin, field.stop - field.begin, _LABELS.get(field.number, TENSOR_RECORDS))
            record[field.number].append(field)
            region.span.work.spend(2 * RECORD)
    external = {key: value for field in record[_EXTERNAL] for key, value in _pair(data, field).items()}
    return Raw(
        name=text(data, record[_NAME][-1]) if record[_NAME] else "",
        dtype=tensor_type(record[_DATA_TYPE][-1].value if record[_DATA_TYPE] else 0),
        shape=checked_shape(tuple(max(size, 0) for field in record[_DIMS] for size in packed(data, field))),
        spans=tuple(spans),
        encoding=encoding,
        external=external if any(field.value for field in record[_LOCATION]) else {},
    )


def read_sparse(region: Region, message: Field) -> Raw:
    """A SparseTensorProto, as the dense tensor that it stands for."""
    region.claim(message.begin, message.start - message.begin, TENSOR_RECORDS)
    values = Raw("", "undefined", (), (), "", {})
    spans: tuple[tuple[int, int], ...] = ()
    dims: list[int] = []
    for field in fields(region.span.data, message.start, message.stop):
        if field.number in (_SPARSE_VALUES, _SPARSE_INDICES):
            part = read_tensor(region, field)
            spans += part.spans
            values = part if field.number == _SPARSE_VALUES else values
        else:
            region.claim(field.begin, field.stop - field.begin, TENSOR_RECORDS)
            dims += packed(region.span.data, field)
    return values._replace(shape=checked_shape(tuple(max(size, 0) for size in dims)), spans=spans, encoding="sparse")


def _enter_numbers(region: Region, field: Field, stop: int, spans: list[tuple[int, int]]) -> tuple[int, str]:
    """Claim a run of values; returns where it ends, and how they are encoded."""
    data = region.span.data
    width = _DATA[field.number]
    if field.wire == BYTES and width != BYTES:  # packed; dims says how many
        start, end, encoding = field.start, field.stop, "varint" if width == VARINT else ""
    elif field.number == _RAW:
        start, end, encoding = field.start, field.stop, ""
    else:
        start, end, _ = run_at(data, field, stop, width)
        encoding = "unpacked"
    region.claim(field.begin, start - field.begin, TENSOR_RECORDS)
    region.claim(start, end - start, TENSOR)
    if end > start:
        region.span.work.spend(2 * RECORD)
        spans.append((start, end - start))
    return end, encoding


def _pair(data: mmap.mmap | bytes, message: Field) -> dict[str, str]:
    """A StringStringEntryProto."""
    found = {field.number: text(data, field) for field in fields(data, message.start, message.stop)}
    return {found.get(1, ""): found.get(2, "")}  # key, value
