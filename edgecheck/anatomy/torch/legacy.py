"""Reads what torch saved before 1.6: four pickles in a row, then the storages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.pickles.machine import Machine
from edgecheck.anatomy.pickles.walk import Leaf, leaves
from edgecheck.anatomy.torch.archive import OBJECTS
from edgecheck.anatomy.torch.storages import Named, tensors_of
from edgecheck.anatomy.torch.views import View, read_view, storage_of, storage_type
from edgecheck.anatomy.values import Inside, Kind

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.accounting.region import Region
    from edgecheck.anatomy.pickles.objects import Value

_LENGTHS = Label(Kind.STRUCTURE, "storage lengths")
_BEFORE_OBJECT = 3
"""Magic number, protocol version, and properties of the machine."""


def read_torch_legacy(files: Files) -> Inside:
    """See `reading.Reader`."""
    region = files.main()
    at = 0
    for _ in range(_BEFORE_OBJECT):
        at = _pickle(region, at).at
    machine = Machine(region.span, at)
    found: list[Leaf[View]] = list(leaves(machine.run(), read_view))
    region.claim(at, machine.at - at, OBJECTS)
    types = {kept[0]: kept[1] for each in machine.persistent if (kept := storage_of(each)) is not None}
    keys = Machine(region.span, machine.at)
    order = keys.run()
    region.claim(machine.at, keys.at - machine.at, OBJECTS)
    storages = _storages(region, keys.at, order, types)
    return Inside(tuple(tensors_of([Named(leaf.path, leaf.found) for leaf in found], storages, region)))


def _pickle(region: Region, at: int) -> Machine:
    machine = Machine(region.span, at)
    machine.run()
    region.claim(at, machine.at - at, OBJECTS)
    return machine


def _storages(region: Region, at: int, order: Value, types: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Start and stop of each storage: a length, then so many elements of the type that the pickle names."""
    if not isinstance(order, list):
        raise Damage("its list of storages is missing")
    storages = {}
    for key in map(str, order):
        if key not in types:
            raise Damage(f"its storage {key} belongs to no tensor, so that its size is unknown")
        size = dense_size(storage_type(types[key]), region.span.u64(at))
        region.claim(at, 8, _LENGTHS)
        region.span.sub(at + 8, size)
        storages[key] = (at + 8, at + 8 + size)
        at += 8 + size
    return storages
