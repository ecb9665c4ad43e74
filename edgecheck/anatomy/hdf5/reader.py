"""Reads HDF5: Keras' whole models and weights, and any other file of datasets in groups."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.owners import Owners
from edgecheck.anatomy.dtypes import is_float, is_quantised
from edgecheck.anatomy.hdf5.datasets import Dataset, read_dataset
from edgecheck.anatomy.hdf5.groups import group_entries
from edgecheck.anatomy.hdf5.headers import H5, read_header
from edgecheck.anatomy.hdf5.heaps import GlobalHeaps
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Role, Tensor

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.accounting.region import Region

_ALIGNMENT = 8
_OPTIMIZER = ("optimizer_weights", "optimizer")


def read_hdf5(files: Files) -> Inside:
    """See `reading.Reader`."""
    return Inside(tuple(hdf5_tensors(files.main())))


def hdf5_tensors(region: Region) -> list[Tensor]:
    """The datasets of the file in a region, in the order of their groups; all of it is entered."""
    region.free_area(_ALIGNMENT)  # HDF5 keeps no list of what it freed: what nothing points to is free
    h5 = H5(region)
    heaps, owners = GlobalHeaps(h5), Owners()
    tensors: list[Tensor] = []
    met: dict[int, Tensor | None] = {}
    titles: dict[str, str] = {}
    waiting = [("", h5.root)]
    while waiting:
        path, address = waiting.pop()
        if address in met:  # another name for the same object
            first = met[address]
            tensors += [] if first is None else [_again(first, path)]
            continue
        met[address] = None
        messages = read_header(h5, address)
        heaps.enter_attributes(messages)
        titles[path] = heaps.text(messages, "name")
        dataset = read_dataset(h5, messages)
        if dataset is None:
            waiting += reversed([(f"{path}/{name}", child) for name, child in group_entries(h5, messages)])
        else:
            tensors.append(_tensor(path, dataset, (h5, heaps, owners)))
            met[address] = tensors[-1]
    heaps.enter_rest()
    return [_titled(tensor, titles) for tensor in tensors]


def _titled(tensor: Tensor, titles: dict[str, str]) -> Tensor:
    """With the names that the layers were given, which Keras 3 writes beside their variables.

    `layers/dense_1/vars/0` belongs to the layer whose name stands at `layers/dense_1/vars`.
    """
    parts = tensor.name.split("/")
    if "vars" not in parts:
        return tensor
    paths = ("/" + "/".join(parts[:end]) + "/vars" for end in range(1, len(parts) - 1))
    names = [titles[path] for path in paths if titles.get(path)]
    return replace(tensor, layer="/".join(names)) if names else tensor


def _encoding(dataset: Dataset) -> str:
    if dataset.dtype.variable:
        return "references"
    return dataset.encoding if dataset.extents else "filled"


def _again(tensor: Tensor, path: str) -> Tensor:
    name = path.lstrip("/")
    return replace(tensor, name=name, layer=layer_of(name), stored=0, shares=tensor.name)


def _role(path: str, dataset: Dataset) -> Role:
    if not set(path.split("/")).isdisjoint(_OPTIMIZER):
        return Role.OPTIMIZER
    if not dataset.extents:  # nothing was ever written to it
        return Role.CONSTANT
    if dataset.dtype.name == "string":
        return Role.VOCABULARY
    learned = is_float(dataset.dtype.name) or is_quantised(dataset.dtype.name)
    return Role.WEIGHT if learned else Role.CONSTANT


def _tensor(path: str, dataset: Dataset, where: tuple[H5, GlobalHeaps, Owners]) -> Tensor:
    h5, heaps, owners = where
    name, extents = path.lstrip("/"), dataset.extents
    if dataset.dtype.variable:
        extents += tuple(found for extent in dataset.extents for found in heaps.references(*extent))
    held = owners.hold(name, h5.region, *extents)
    memory = prod(dataset.shape) * dataset.dtype.size
    return Tensor(
        name=name,
        layer=layer_of(name),
        operator="",
        dtype=dataset.dtype.name,
        shape=dataset.shape,
        role=_role(path, dataset),
        stored=held.stored,
        memory=max(memory, held.stored) if dataset.dtype.variable else memory,
        places=held.places,
        shares=held.shares,
        encoding=_encoding(dataset),
    )
