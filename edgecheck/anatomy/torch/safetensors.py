"""Reads `.safetensors`: the length of a JSON header (u64), the header, and the tensors one after the other.

https://github.com/huggingface/safetensors#format, section "Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import check_size, check_tensors
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.dtypes import is_float
from edgecheck.anatomy.encodings.archive_parts import as_dict, as_list, as_size
from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.torch.storages import optimizer_path
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

_HEADER = Label(Kind.STRUCTURE, "header")
_METADATA = Label(Kind.METADATA, "metadata")
_PADDING = Label(Kind.PADDING, "alignment")
#: Less than the 100 MB that the format's library allows, and room for more tensors than are read.
_LONGEST_HEADER = 64 << 20
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
    raw = region.span.raw(8, size)
    text = raw.decode("utf-8", "replace")
    header = text.rstrip(" ")
    region.claim(8 + size - (len(text) - len(header)), len(text) - len(header), _PADDING)
    metadata: list[tuple[int, int]] = []
    owners = Owners()
    tensors: list[Tensor] = []
    for entry in _entries(header):
        if entry.key == "__metadata__":
            start, stop = (8 + len(text[:at].encode()) for at in (entry.start, entry.stop))
            metadata.append((start, stop - start))
            region.claim(start, stop - start, _METADATA)
        else:
            check_tensors(len(tensors))
            tensors.append(_tensor(entry.key, as_dict(entry.value), (region, owners), 8 + size))
    region.claim_around(0, 8 + size - (len(text) - len(header)), metadata, _HEADER)
    return Inside(tuple(tensors))


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
    shape = tuple(map(as_size, as_list(entry.get("shape"))))
    dtype = _TYPES.get(str(entry.get("dtype")), str(entry.get("dtype")).lower())
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
