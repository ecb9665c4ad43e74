"""A small SavedModel, built by hand: a graph with a constant, and a checkpoint of variables."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from tests.anatomy.test_hostile import message, varint

_MAGIC = 0xDB4775248B80FB57


def number(field: int, value: int) -> bytes:
    """A field that is a number."""
    return varint(field << 3) + varint(value)


def entry(shape: tuple[int, ...], offset: int, size: int) -> bytes:
    """A BundleEntryProto of float32."""
    dims = b"".join(message(2, number(1, length)) for length in shape)
    return number(1, 1) + message(2, dims) + number(3, 0) + number(4, offset) + number(5, size)


def table(entries: Iterable[tuple[int, bytes, bytes]]) -> bytes:
    """An index of one block; each entry: how many bytes of the previous key it begins with, the rest, the value."""
    data = _block(entries)
    nothing = _block(())
    index = _block([(0, b"~", varint(0) + varint(len(data) - 5))])
    meta_at, index_at = len(data), len(data) + len(nothing)
    handles = varint(meta_at) + varint(len(nothing) - 5) + varint(index_at) + varint(len(index) - 5)
    return data + nothing + index + handles.ljust(40, b"\0") + struct.pack("<Q", _MAGIC)


def _block(entries: Iterable[tuple[int, bytes, bytes]]) -> bytes:
    """The entries, one restart point, and the trailer: not compressed, and a checksum that nobody reads."""
    packed = b"".join(
        varint(shared) + varint(len(rest)) + varint(len(value)) + rest + value for shared, rest, value in entries
    )
    return packed + struct.pack("<II", 0, 1) + b"\0" + bytes(4)


def saved_model() -> dict[str, bytes]:
    """By path in its folder: the files."""
    shape = message(2, number(1, 2)) + message(2, number(1, 3))
    tensor = number(1, 1) + message(2, shape) + message(4, struct.pack("<6f", *range(6)))
    value = message(1, b"value") + message(2, message(8, tensor))
    constant = message(1, b"c") + message(2, b"Const") + message(5, value)
    product = message(1, b"m") + message(2, b"MatMul") + message(3, b"c") + message(3, b"c")
    function = message(1, message(1, b"__inference_f_1")) + message(3, constant)
    graph = message(1, constant) + message(1, product) + message(2, message(1, function))
    return {
        "saved_model.pb": b"\x08\x01" + message(2, message(1, message(4, b"serve")) + message(2, graph)),
        "variables/variables.index": table(
            [(0, b"", number(1, 1)), (0, b"dense/bias", entry((3,), 0, 12)), (6, b"kernel", entry((2, 3), 12, 24))]
        ),
        "variables/variables.data-00000-of-00001": struct.pack("<9f", *range(9)),
    }
