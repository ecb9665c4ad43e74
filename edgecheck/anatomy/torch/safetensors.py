"""Reads `.safetensors`: the length of a JSON header (u64), the header, and the tensors one after the other.

https://github.com/huggingface/safetensors#format, section "Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import (
    MOST_DIMENSIONS,
    MOST_TENSORS,
    RECORD,
    check_size,
    check_tensors,
    checked_shape,
    cut,
)
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.dtypes import is_float
from edgecheck.anatomy.encodings.archive_parts import as_dict, as_list, as_size, as_text
from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.torch.storages import optimizer_path
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

_HEADER = Label(Kind.STRUCTURE, "header")
_METADATA = Label(Kind.METADATA, "metadata")
_PADDING = Label(Kind.PADDING, "alignment")
#: Less than the 100 MB that the format's library allows, and room for as many tensors as are read.
_LONGEST_HEADER = 128 * MOST_TENSORS
#: JSON's objects and arrays, and its values: each tensor has an object and two arrays, with ten values or so.
_MOST_NESTED, _MOST_VALUES = 4 * MOST_TENSORS, 16 * MOST_TENSORS
_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0", "F4": "float4_e2m1",
    "C64": "complex64",
}  # fmt: skip


class _Entry(NamedTuple):
    """A member of the header's JSON object."""

    key: str
    value: object
    start: int
    """Where its text begins in the header, in characters."""
    stop: int


def read_safetensors(files: Files) -> Inside:
    """The tensors of a file; a `reading.Reader`."""
    region = files.main()
    size = region.span.u64(0)
    if size > _LONGEST_HEADER:
        raise Unread(f"its header claims {size:,} bytes")
    raw = region.span.raw(8, size).rstrip(b" ")
    stop = 8 + len(raw)
    region.claim(stop, 8 + size - stop, _PADDING)
    if raw.count(b"[") + raw.count(b"{") > _MOST_NESTED or raw.count(b",") > _MOST_VALUES:
        raise Unread(f"its header has more than {_MOST_VALUES:,} values")
    header = raw.decode("utf-8", "replace")
    metadata: list[tuple[int, int]] = []
    place = _Places(header)
    owners = Owners()
    tensors: list[Tensor] = []
    for entry in _entries(header):
        if entry.key == "__metadata__":
            start, end = 8 + place.of(entry.start), 8 + place.of(entry.stop)
            metadata.append((start, end - start))
            region.claim(start, end - start, _METADATA)
        else:
            check_tensors(len(tensors))
            tensors.append(_tensor(entry.key, as_dict(entry.value), (region, owners), 8 + size))
    region.claim_around(0, stop, metadata, _HEADER)
    return Inside(tuple(tensors))


class _Places:
    """Where the characters of a text are in its UTF-8, asked for in their order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._characters = self._bytes = 0

    def of(self, at: int) -> int:
        """The place of the character at `at`, which is not before the last one."""
        self._bytes += len(self._text[self._characters : at].encode("utf-8", "replace"))
        self._characters = at
        return self._bytes


def _entries(header: str) -> Iterator[_Entry]:
    """The members of the outermost JSON object, each with its place."""
    decoder = json.JSONDecoder()
    at = header.find("{") + 1
    try:
        while (at := _skip(header, at)) < len(header) and header[at] != "}":
            key, after = decoder.raw_decode(header, at)
            colon = _skip(header, after)
            value, stop = decoder.raw_decode(header, _skip(header, colon + 1))
            yield _Entry(str(key), value, at, stop)
            at = _skip(header, stop)
            at += header[at : at + 1] == ","
    except (ValueError, RecursionError) as error:
        raise Damage(f"its header is not JSON ({error})") from error


def _skip(text: str, at: int) -> int:
    """The first place from `at` on that is not a blank."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _tensor(name: str, entry: dict[str, object], where: tuple[Region, Owners], base: int) -> Tensor:
    region, owners = where
    region.span.work.spend(6 * RECORD + len(name))
    shape = checked_shape(tuple(map(as_size, as_list(entry.get("shape"))[: MOST_DIMENSIONS + 1])))
    dtype = _TYPES.get(as_text(entry.get("dtype")), cut(as_text(entry.get("dtype"))).lower())
    offsets = [*map(as_size, as_list(entry.get("data_offsets"))), 0, 0]  # start and stop, relative to the end of header
    size = offsets[1] - offsets[0]
    region.span.sub(base + offsets[0], size)
    check_size(name, dtype, shape, size)
    held = owners.hold(name, region, (base + offsets[0], size))
    if optimizer_path((name,)):
        role = Role.OPTIMIZER
    else:
        role = Role.WEIGHT if is_float(dtype) or dtype in ("int8", "uint8") else Role.CONSTANT
    return Tensor(
        name=name,
        layer=layer_of(name),
        operator="",
        dtype=dtype,
        shape=shape,
        role=role,
        stored=held.stored,
        memory=size,
        places=held.places,
        shares=held.shares,
    )
