"""Reads the zip archives of torch: state dicts, checkpoints, pickled modules and TorchScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.encodings.archive_parts import enter_archive, enter_member, member_region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.ziparchive import STORED
from edgecheck.anatomy.pickles.machine import Machine
from edgecheck.anatomy.pickles.walk import Leaf, leaves
from edgecheck.anatomy.torch.storages import Named, tensors_of
from edgecheck.anatomy.torch.views import View, read_view
from edgecheck.anatomy.values import Inside, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.accounting.region import Region
    from edgecheck.anatomy.encodings.ziparchive import Member
    from edgecheck.anatomy.values import Tensor

OBJECTS = Label(Kind.STRUCTURE, "pickled objects")
_RECORDS = Label(Kind.STRUCTURE, "version records")
_CODE = Label(Kind.STRUCTURE, "code")
_DEBUG = Label(Kind.METADATA, "debugging sources")
_EXTRA = Label(Kind.METADATA, "extra files")
_TRACED = Label(Kind.METADATA, "traced inputs")
_PICKLES = {"data.pkl": "data/", "constants.pkl": "constants/"}
"""The pickles that hold the model, and the folders where their storages are."""


def read_torch_archive(files: Files) -> Inside:
    """See `reading.Reader`."""
    return Inside(tuple(archive_tensors(files.main(), ())))


def archive_tensors(region: Region, prefix: tuple[str, ...]) -> list[Tensor]:
    """The tensors of the archive in a region, under `prefix`; all of the archive is entered."""
    members = {_inner(member.name): member for member in enter_archive(region).members}
    tensors: list[Tensor] = []
    storages: set[str] = set()
    for pickle, folder in _PICKLES.items():
        if pickle in members:
            kept = {name: member for name, member in members.items() if name.startswith(folder)}
            storages |= kept.keys()
            with member_region(region, members[pickle]) as content:
                machine = Machine(content.span)
                found: list[Leaf[View]] = list(leaves(machine.run(), read_view))
                content.claim(0, machine.at, OBJECTS)
            named = [Named(prefix + leaf.path, leaf.found) for leaf in found]
            tensors += tensors_of(named, dict(_extents(kept, folder)), region)
    for name, member in members.items():
        if name not in storages and name not in _PICKLES:
            enter_member(region, member, _label(name))
    return tensors


def _inner(name: str) -> str:
    """A member's name without the folder that is named after the file."""
    return name.partition("/")[2]


def _extents(members: dict[str, Member], folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for name, member in members.items():
        if member.method != STORED:
            raise Damage(f"its storage {name} is compressed, which torch does not read")
        yield name.removeprefix(folder), (member.start, member.start + member.packed)


def _label(name: str) -> Label:
    if name.endswith(".debug_pkl") or "debug" in name.partition("/")[0]:
        return _DEBUG
    if name.startswith("code/") or name == "bytecode.pkl":
        return _CODE
    if name.startswith("traced_inputs"):
        return _TRACED
    return _EXTRA if name.startswith("extra/") else _RECORDS
