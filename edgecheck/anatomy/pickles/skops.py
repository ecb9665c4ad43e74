"""Reads `.skops`: a description of the objects, and their arrays, in one archive."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.encodings.archive_parts import enter_archive, enter_member, member_region
from edgecheck.anatomy.encodings.json_parts import as_dict, as_list, read_json
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.pickles.arrays import Array, DType, dtype_of
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.accounting.region import Region
    from edgecheck.anatomy.encodings.ziparchive import Member

# RF-SECTION npy: NumPy's `.npy` files: a header that is a Python literal, then the numbers.

HEADERS = Label(Kind.STRUCTURE, "array headers")
_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 20
_DESCRIPTION = re.compile(r"'descr':\s*'([<>|=]?)([a-zA-Z])(\d*)'")
_SHAPE = re.compile(r"'shape':\s*\(([\d,\s]*)\)")


def read_npy(region: Region) -> Array:
    """The array of the `.npy` file in a region; its header is entered, its numbers are not.

    Raises:
        Damage: it is no such file, or has fewer numbers than its shape asks for.
    """
    span = region.span
    if span.size < len(_MAGIC) or span.raw(0, len(_MAGIC)) != _MAGIC:
        raise Damage("an array of it is not in NumPy's format")
    width = 2 if span.u8(6) == 1 else 4
    start = 8 + width + span.uint(8, width)
    if start > _LONGEST_HEADER:
        raise Damage(f"an array's header claims {start:,} bytes")
    header = span.text(8 + width, start - 8 - width)
    sizes, description = _SHAPE.search(header), _DESCRIPTION.search(header)
    if sizes is None:
        raise Damage("an array of it has no shape")
    shape = tuple(int(size) for size in sizes[1].split(",") if size.strip())
    size = span.size - start
    dtype = dtype_of(description[2], description[3], swapped=description[1] == ">") if description else None
    if dtype is None:  # a structured type: a list of fields
        dtype = DType("record", size // max(1, prod(shape)))
    if dtype.name != "object" and dtype.size * prod(shape) != size:
        raise Damage(f"an array of shape {shape} and type {dtype.name} has {size:,} bytes")
    region.claim(0, start, HEADERS)
    return Array(dtype, shape, start, size, "big-endian" if dtype.swapped else "")


_SCHEMA = Label(Kind.STRUCTURE, "description of the objects")
_TRANSPARENT = ("content", "reduce", "args", "state", "attrs", "constructor", "type")
"""Keys of the description that are no names of the model's own."""
_OTHER = Label(Kind.METADATA, "other members")


def read_skops(files: Files) -> Inside:
    """See `reading.Reader`."""
    region = files.main()
    members = {member.name: member for member in enter_archive(region).members}
    if "schema.json" not in members:
        raise Damage("it has no schema.json")
    with member_region(region, members["schema.json"]) as content:
        schema = read_json(content.span, "schema.json")
    tensors: dict[str, Tensor] = {}
    again: list[Tensor] = []
    for path, file in _files(schema):
        name = ".".join(path)
        if file in tensors:
            again.append(_shared(tensors[file], name))
        elif file in members:
            tensors[file] = _tensor(region, members[file], name)
    for name, member in members.items():
        if name not in tensors:
            enter_member(region, member, _SCHEMA if name == "schema.json" else _OTHER)
    return Inside((*tensors.values(), *again))


def _files(schema: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and member of each array, by the keys that lead to it."""
    waiting: deque[tuple[tuple[str, ...], dict[str, object]]] = deque([((), as_dict(schema))])
    while waiting:
        path, node = waiting.popleft()
        if isinstance(node.get("file"), str):
            yield path, str(node["file"])
        for key, child in node.items():
            below = {"": child} if isinstance(child, dict) else dict(enumerate(as_list(child)))
            here = path if key in _TRANSPARENT or key.startswith("__") else (*path, key)
            waiting += [((*here, str(step)) if step != "" else here, as_dict(each)) for step, each in below.items()]


def _tensor(region: Region, member: Member, name: str) -> Tensor:
    if not member.name.endswith(".npy"):
        return _opaque(region, member, name)
    with member_region(region, member) as content:
        array = read_npy(content)
        stored, places = content.tensor(array.at, array.size)
    return Tensor(
        name=name,
        layer=layer_of(name),
        operator="",
        dtype=array.dtype.name,
        shape=array.shape,
        role=array.role,
        stored=stored,
        memory=array.size,
        places=places,
        encoding=array.encoding,
        checksum=member.crc,
    )


def _opaque(region: Region, member: Member, name: str) -> Tensor:
    """A member in another format: a sparse matrix, or bytes of some library."""
    region.claim(member.start, member.packed, TENSOR)
    return Tensor(
        name=name,
        layer=layer_of(name),
        operator="",
        dtype="bytes",
        shape=(member.size,),
        role=Role.CONSTANT,
        stored=member.packed,
        memory=member.size,
        places=(region.place(member.start, member.packed),),
        encoding="opaque",
        checksum=member.crc,
    )


def _shared(first: Tensor, name: str) -> Tensor:
    return replace(first, name=name, layer=layer_of(name), stored=0, shares=first.name)
