"""Reads `.skops`: an archive of a description of the objects and of their arrays.

https://github.com/skops-dev/skops/blob/main/skops/io/_persist.py, function `_save`: the description is `schema.json`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.accounting.limits import ITEM, RECORD, Work, check_tensors
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.archive_parts import (
    as_dict,
    as_list,
    claim_archive,
    claim_member,
    member_region,
    read_json,
)
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.ziparchive import Member
from edgecheck.anatomy.pickles.arrays import read_npy
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

_SCHEMA = Label(Kind.STRUCTURE, "description of the objects")
#: Keys of the description that are not names of the model's attributes.
_TRANSPARENT = ("content", "reduce", "args", "state", "attrs", "constructor", "type")
_OTHER = Label(Kind.METADATA, "other members")


def read_skops(files: Files) -> Inside:
    """The arrays of an archive; a `reading.Reader`."""
    region = files.main()
    members = {member.name: member for member in claim_archive(region).members}
    if "schema.json" not in members:
        raise Damage("it has no schema.json")
    with member_region(region, members["schema.json"]) as content:
        schema = read_json(content.span, "schema.json")
    tensors: dict[str, Tensor] = {}
    again: list[Tensor] = []
    work = region.span.work
    for path, file in _files(schema, work):
        name = ".".join(path)
        work.spend(8 * RECORD + len(name))
        check_tensors(len(tensors) + len(again))
        if file in tensors:
            again.append(_shared(tensors[file], name))
        elif file in members:
            tensors[file] = _tensor(region, members[file], name)
    for name, member in members.items():
        if name not in tensors:
            claim_member(region, member, _SCHEMA if name == "schema.json" else _OTHER)
    return Inside((*tensors.values(), *again))


def _files(schema: object, work: Work) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and member of each array; the path is made of the keys that lead to it."""
    waiting: deque[tuple[tuple[str, ...], dict[str, object]]] = deque([((), as_dict(schema))])
    while waiting:
        path, node = waiting.popleft()
        if isinstance(node.get("file"), str):
            yield path, str(node["file"])
        work.spend((2 * RECORD + ITEM * len(path)) * (1 + len(node)))
        for key, child in node.items():
            below = {"": child} if isinstance(child, dict) else dict(enumerate(as_list(child)))
            here = path if key in _TRANSPARENT or key.startswith("__") else (*path, key)
            work.spend((2 * RECORD + ITEM * len(here)) * len(below))
            waiting += [((*here, str(step)) if step != "" else here, as_dict(each)) for step, each in below.items()]


def _tensor(region: Region, member: Member, name: str) -> Tensor:
    if not member.name.endswith(".npy"):
        return _opaque(region, member, name)
    with member_region(region, member) as content:
        array = read_npy(content)
        stored, places = content.claim_tensor(array.at, array.size)
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
    """A member in another format: a sparse matrix, or the bytes of another library."""
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
    """The same array under another name."""
    return replace(first, name=name, layer=layer_of(name), stored=0, shares=first.name)
