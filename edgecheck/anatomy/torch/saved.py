"""Reads the files of `torch.save` and `torch.jit.save`: state dicts, checkpoints, pickled modules and TorchScript.

Zip archives: https://docs.pytorch.org/docs/stable/notes/serialization.html, section "Serialized file format for
torch.save". Before torch 1.6: `_legacy_save` in torch/serialization.py of the same project, five pickles and the
storages.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import cut
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.archive_parts import claim_archive, claim_member, member_region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.ziparchive import STORED, Member
from edgecheck.anatomy.pickles.machine import Machine
from edgecheck.anatomy.pickles.objects import Leaf, Value, leaves
from edgecheck.anatomy.torch.storages import Named, View, read_view, storage_of, storage_type, tensors_of
from edgecheck.anatomy.values import Inside, Kind, Tensor

_OBJECTS = Label(Kind.STRUCTURE, "pickled objects")
_RECORDS = Label(Kind.STRUCTURE, "version records")
_CODE = Label(Kind.STRUCTURE, "code")
_DEBUG = Label(Kind.METADATA, "debugging sources")
_EXTRA = Label(Kind.METADATA, "extra files")
_TRACED = Label(Kind.METADATA, "traced inputs")
_LENGTHS = Label(Kind.STRUCTURE, "storage lengths")
#: The pickles of an archive that hold the model, and the folders of their storages.
_PICKLES = {"data.pkl": "data/", "constants.pkl": "constants/"}
#: Pickles before the object in older files: the magic number, the protocol version, and the properties of the machine.
_BEFORE_OBJECT = 3


def read_torch_archive(files: Files) -> Inside:
    """The tensors of an archive; a `reading.Reader`."""
    return Inside(tuple(archive_tensors(files.main(), ())))


def archive_tensors(region: Region, prefix: tuple[str, ...]) -> list[Tensor]:
    """The tensors of the archive in a region, under `prefix`; the entire archive is claimed."""
    members = {_inner(member.name): member for member in claim_archive(region).members}
    tensors: list[Tensor] = []
    storages: set[str] = set()
    for pickle, folder in _PICKLES.items():
        if pickle in members:
            kept = {name: member for name, member in members.items() if name.startswith(folder)}
            storages |= kept.keys()
            with member_region(region, members[pickle]) as content:
                machine = Machine(content.span)
                found: list[Leaf[View]] = list(leaves(machine.run(), read_view, region.span.work))
                content.claim(0, machine.at, _OBJECTS)
            named = [Named(prefix + leaf.path, leaf.found) for leaf in found]
            tensors += tensors_of(named, dict(_extents(kept, folder)), region)
    for name, member in members.items():
        if name not in storages and name not in _PICKLES:
            claim_member(region, member, _label(name))
    return tensors


def _inner(name: str) -> str:
    """A member's name without the first folder, which is named after the file."""
    return name.partition("/")[2]


def _extents(members: dict[str, Member], folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Key, start and stop of each storage in `folder`."""
    for name, member in members.items():
        if member.method != STORED:
            raise Damage(f"its storage {cut(name)} is compressed, which torch does not read")
        yield name.removeprefix(folder), (member.start, member.start + member.packed)


def _label(name: str) -> Label:
    if name.endswith(".debug_pkl") or "debug" in name.partition("/")[0]:
        return _DEBUG
    if name.startswith("code/") or name == "bytecode.pkl":
        return _CODE
    if name.startswith("traced_inputs"):
        return _TRACED
    return _EXTRA if name.startswith("extra/") else _RECORDS


def read_torch_legacy(files: Files) -> Inside:
    """The tensors of a file from before torch 1.6; a `reading.Reader`."""
    region = files.main()
    at = 0
    for _ in range(_BEFORE_OBJECT):
        at = _pickle(region, at).at
    machine = Machine(region.span, at)  # the fourth pickle: the object
    found: list[Leaf[View]] = list(leaves(machine.run(), read_view, region.span.work))
    region.claim(at, machine.at - at, _OBJECTS)
    types = {storage.key: storage.kind for key in machine.persistent if (storage := storage_of(key)) is not None}
    keys = Machine(region.span, machine.at)  # the fifth: the keys of the storages, in the order of the file
    order = keys.run()
    region.claim(machine.at, keys.at - machine.at, _OBJECTS)
    storages = _storages(region, keys.at, order, types)
    return Inside(tuple(tensors_of([Named(leaf.path, leaf.found) for leaf in found], storages, region)))


def _pickle(region: Region, at: int) -> Machine:
    """The machine that has followed the pickle at `at`, which is claimed."""
    machine = Machine(region.span, at)
    machine.run()
    region.claim(at, machine.at - at, _OBJECTS)
    return machine


def _storages(region: Region, at: int, order: Value, types: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Start and stop of each storage: a number of elements (int64), then the elements, whose type the pickle names."""
    if not isinstance(order, list):
        raise Damage("its list of storages is missing")
    storages = {}
    for key in (str(key) for key in order if isinstance(key, (str, int))):
        if key not in types:
            raise Damage(f"its storage {cut(key)} belongs to no tensor, so its size is unknown")
        size = dense_size(storage_type(types[key]), region.span.u64(at))
        region.claim(at, 8, _LENGTHS)
        region.span.sub(at + 8, size)
        storages[key] = (at + 8, at + 8 + size)
        at += 8 + size
    return storages
