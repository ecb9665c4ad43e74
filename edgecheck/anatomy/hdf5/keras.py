"""Reads Keras' files: HDF5 files of models or weights, and the `.keras` archives around them.

`.keras`: https://keras.io/api/models/model_saving_apis/model_saving_and_loading/, section "save method". HDF5 files
that Keras did not write are read as well: datasets in groups. See the other modules for their format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import RECORD, Work, check_tensors
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.dtypes import is_float, is_quantised
from edgecheck.anatomy.encodings.archive_parts import claim_archive, claim_member, member_region
from edgecheck.anatomy.hdf5.datasets import Dataset, read_dataset
from edgecheck.anatomy.hdf5.groups import group_entries
from edgecheck.anatomy.hdf5.headers import H5, read_header
from edgecheck.anatomy.hdf5.heaps import GlobalHeaps
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor
from edgecheck.anatomy.wrappers import of_training

_ARCHITECTURE = Label(Kind.STRUCTURE, "architecture")
_METADATA = Label(Kind.METADATA, "version and date")
_ASSETS = Label(Kind.STRUCTURE, "assets")
_LABELS = {"config.json": _ARCHITECTURE, "metadata.json": _METADATA}
#: What HDF5 aligns its parts to.
_ALIGNMENT = 8
#: Groups in groups in which a layer's name is looked for.
_DEEPEST = 64
#: The groups in which Keras 2 and Keras 3 keep the state of the optimiser.
_OPTIMIZER = ("optimizer_weights", "optimizer")
#: Where a `.keras` keeps the sums of the training's metrics; no layer can have this path.
_METRICS = "/metrics/"


def read_keras(files: Files) -> Inside:
    """The tensors of a `.keras` archive; a `reading.Reader`."""
    region = files.main()
    tensors: list[Tensor] = []
    for member in claim_archive(region).members:
        if member.name.endswith(".h5"):
            with member_region(region, member) as content:
                tensors += _hdf5_tensors(content)
        else:
            claim_member(region, member, _LABELS.get(member.name, _ASSETS))
    return Inside(tuple(tensors))


def read_hdf5(files: Files) -> Inside:
    """The datasets of an HDF5 file; a `reading.Reader`."""
    return Inside(tuple(_hdf5_tensors(files.main())))


def _hdf5_tensors(region: Region) -> list[Tensor]:
    """The datasets of the HDF5 file in a region, in the order of their groups; the entire file is claimed."""
    region.free_area(_ALIGNMENT)  # HDF5 keeps no list of freed space: whatever nothing points to is free
    h5 = H5(region)
    heaps, owners = GlobalHeaps(h5), Owners()
    tensors: list[Tensor] = []
    visited: dict[int, Tensor | None] = {}
    titles: dict[str, str] = {}
    waiting = [("", h5.root)]
    while waiting:
        path, address = waiting.pop()
        if address in visited:  # another name for the same object
            first = visited[address]
            tensors += [] if first is None else [_again(first, path)]
            continue
        visited[address] = None
        messages = read_header(h5, address)
        heaps.claim_attributes(messages)
        titles[path] = heaps.text(messages, "name")
        dataset = read_dataset(h5, messages)
        if dataset is None:
            waiting += reversed(list(_members(path, group_entries(h5, messages), region.span.work)))
        else:
            tensors.append(_tensor(path, dataset, (h5, heaps, owners)))
            visited[address] = tensors[-1]
    heaps.claim_rest()
    return of_training(_titled(tensor, titles) for tensor in tensors)


def _members(path: str, entries: Iterable[tuple[str, int]], work: Work) -> Iterator[tuple[str, int]]:
    """The members of the group at `path` under their full names."""
    for count, (name, address) in enumerate(entries):
        check_tensors(count)
        work.spend(8 * RECORD + 3 * (len(path) + len(name)))  # with what is made of it
        yield f"{path}/{name}", address


def _titled(tensor: Tensor, titles: dict[str, str]) -> Tensor:
    """The tensor with the layer's real name, which Keras 3 writes as an attribute of the group of its variables.

    `layers/dense_1/vars/0` belongs to the layer that `layers/dense_1/vars` names.
    """
    parts = tensor.name.split("/")
    if "vars" not in parts:
        return tensor
    paths = ("/" + "/".join(parts[:end]) + "/vars" for end in range(1, min(len(parts) - 1, _DEEPEST)))
    names = [titles[path] for path in paths if titles.get(path)]
    return replace(tensor, layer="/".join(names)) if names else tensor


def _encoding(dataset: Dataset) -> str:
    """See `Tensor.encoding`; a dataset without bytes is all fill values."""
    if dataset.dtype.variable:
        return "references"
    return dataset.encoding if dataset.extents else "filled"


def _again(tensor: Tensor, path: str) -> Tensor:
    """The same dataset under another name."""
    name = path.lstrip("/")
    return replace(tensor, name=name, layer=layer_of(name), stored=0, shares=tensor.name)


def _role(path: str, dataset: Dataset) -> Role:
    if not set(path.split("/")).isdisjoint(_OPTIMIZER) or path.startswith(_METRICS):
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
