"""Reads SavedModel folders: variables, and the constants of the graph and of its functions."""

from __future__ import annotations

import zlib
from math import prod
from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.dtypes import dense_size, is_float
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.tensorflow.checkpoint import read_checkpoint
from edgecheck.anatomy.tensorflow.graph import Constant, GraphWalk
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.accounting.region import Region

_OTHER = Label(Kind.METADATA, "other files")
_COMPARED = 64
"""Bytes from which constants are compared: functions repeat those of the functions that they were made from."""


def read_savedmodel(files: Files) -> Inside:
    """See `reading.Reader`."""
    region = files.open("saved_model.pb")
    walk = GraphWalk(region)
    walk.model()
    tensors: list[Tensor] = []
    if (files.folder / "variables" / "variables.index").is_file():
        tensors += read_checkpoint(files, "variables/variables")
    seen: dict[tuple[object, ...], str] = {}
    tensors += [_tensor(constant, region, seen) for constant in walk.constants if constant.extents]
    files.claim_rest(_OTHER)
    return Inside(tuple(tensors), dict(walk.operators))


def _tensor(constant: Constant, region: Region, seen: dict[tuple[object, ...], str]) -> Tensor:
    stored = sum(size for _, size in constant.extents)
    elements = prod(constant.shape)
    memory = dense_size(constant.dtype, elements) or stored
    name = repeats = constant.node
    if stored >= _COMPARED:
        checksum = 0
        for start, size in constant.extents:
            checksum = zlib.crc32(region.span.raw(start, size), checksum)
        repeats = seen.setdefault((constant.dtype, constant.shape, stored, checksum), name)
    learned = is_float(constant.dtype) and constant.shape != ()  # scalars are steps of the computation
    return Tensor(
        name=name,
        layer=layer_of(name),
        operator="Const",
        dtype=constant.dtype,
        shape=constant.shape,
        role=Role.WEIGHT if learned else Role.CONSTANT,
        stored=stored,
        memory=memory,
        places=tuple(region.place(start, size) for start, size in constant.extents),
        repeats="" if repeats is name else repeats,
        encoding="" if constant.raw and stored == memory else ("filled" if constant.raw else "varint"),
    )
