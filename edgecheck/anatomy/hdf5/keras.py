"""Reads `.keras`: an archive of the architecture, and of its weights as HDF5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.encodings.archive_parts import enter_archive, enter_member, member_region
from edgecheck.anatomy.hdf5.reader import hdf5_tensors
from edgecheck.anatomy.values import Inside, Kind

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.files import Files
    from edgecheck.anatomy.values import Tensor

_ARCHITECTURE = Label(Kind.STRUCTURE, "architecture")
_METADATA = Label(Kind.METADATA, "version and date")
_ASSETS = Label(Kind.STRUCTURE, "assets")
_LABELS = {"config.json": _ARCHITECTURE, "metadata.json": _METADATA}


def read_keras(files: Files) -> Inside:
    """See `reading.Reader`."""
    region = files.main()
    tensors: list[Tensor] = []
    for member in enter_archive(region).members:
        if member.name.endswith(".h5"):
            with member_region(region, member) as content:
                tensors += hdf5_tensors(content)
        else:
            enter_member(region, member, _LABELS.get(member.name, _ASSETS))
    return Inside(tuple(tensors))
