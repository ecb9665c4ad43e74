"""How many of a row's numbers are zero, for rows that group tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgecheck.anatomy.tables import By, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.anatomy.measuring import Measured
    from edgecheck.anatomy.values import Anatomy


def zeros_by_row(anatomy: Anatomy, measured: Mapping[int, Measured], by: By, depth: int) -> Mapping[str, float]:
    """By a row's name: the share of its numbers that are zero; no entry where they cannot be told apart.

    The table does the grouping: it sums zeros in place of bytes, and numbers in place of memory.
    """
    counted = []
    for index, tensor in enumerate(anatomy.tensors):
        share = measured[index].zeros if index in measured else None
        if share is not None:
            counted.append(replace(tensor, stored=round(share * tensor.elements), memory=tensor.elements))
    rows = table(replace(anatomy, tensors=tuple(counted)), by, depth)
    return {row.name: row.stored / row.memory for row in rows if row.tensors and row.memory}
