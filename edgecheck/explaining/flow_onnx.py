"""The main graph of an `.onnx` file as operators and the sizes of what they compute, where it tells their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.encodings.wire import BYTES, fields, signed, text
from edgecheck.anatomy.onnx.tensors import tensor_type
from edgecheck.explaining.activations import Flow, Step, is_open, size_of

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.encodings.wire import Field

_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE, _SPARSE = 1, 5, 11, 12, 13, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _TENSOR_NAME = 1, 2, 4, 8


class _Value(NamedTuple):
    """A ValueInfoProto."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    """None where it has none."""


def read_flow(files: Files) -> Flow:
    """The main graph; branches and functions count as their outputs."""
    span = files.main().span
    data = span.data
    graph = [
        part
        for field in fields(data, 0, span.size)
        if field.number == _GRAPH and field.wire == BYTES
        for part in fields(data, field.start, field.stop)
    ]
    values = {number: [_value(data, each) for each in _of(graph, number)] for number in (_INPUT, _OUTPUT, _VALUE)}
    shapes = {
        each.name: (each.dtype, each.shape) for group in values.values() for each in group if each.shape is not None
    }
    return Flow(
        steps=tuple(_step(data, each) for each in _of(graph, _NODE)),
        sizes={name: size_of(dtype, shape) for name, (dtype, shape) in shapes.items()},
        stored=frozenset(_stored(data, graph)),
        given=tuple(each.name for each in values[_INPUT]),
        results=tuple(each.name for each in values[_OUTPUT]),
        has_open=is_open(shape for _, shape in shapes.values()),
        names={},
    )


def _of(graph: list[Field], number: int) -> Iterator[Field]:
    return (field for field in graph if field.number == number and field.wire == BYTES)


def _stored(data: mmap.mmap | bytes, graph: list[Field]) -> Iterator[str]:
    """The names of initialisers; a sparse one has that of its values."""
    for field in _of(graph, _INITIALIZER):
        yield from _texts(data, field, _TENSOR_NAME)
    for field in _of(graph, _SPARSE):
        for part in fields(data, field.start, field.stop):
            if part.number == 1:
                yield from _texts(data, part, _TENSOR_NAME)


def _texts(data: mmap.mmap | bytes, message: Field, number: int) -> tuple[str, ...]:
    return tuple(text(data, field) for field in fields(data, message.start, message.stop) if field.number == number)


def _step(data: mmap.mmap | bytes, message: Field) -> Step:
    kinds = _texts(data, message, _NODE_TYPE)
    inputs, outputs = (_texts(data, message, number) for number in (_NODE_INPUT, _NODE_OUTPUT))
    return Step(kinds[-1] if kinds else "", inputs, outputs)


def _value(data: mmap.mmap | bytes, message: Field) -> _Value:
    names, dtype = _texts(data, message, 1), ""
    shape: tuple[int | None, ...] | None = None
    for kind in _inner(data, message, 2):
        for tensor in _inner(data, kind, 1):
            for field in fields(data, tensor.start, tensor.stop):
                if field.number == 1:
                    dtype = tensor_type(field.value)
                elif field.number == 2:  # noqa: PLR2004 - shape
                    shape = tuple(_dimension(data, each) for each in fields(data, field.start, field.stop))
    return _Value(names[-1] if names else "", dtype, shape)


def _inner(data: mmap.mmap | bytes, message: Field, number: int) -> Iterator[Field]:
    return (field for field in fields(data, message.start, message.stop) if field.number == number)


def _dimension(data: mmap.mmap | bytes, message: Field) -> int | None:
    for field in fields(data, message.start, message.stop):
        if field.number == 1 and signed(field.value) >= 0:
            return signed(field.value)
    return None
