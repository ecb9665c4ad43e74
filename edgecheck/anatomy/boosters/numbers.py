"""Arrays of boosted trees: each tree has its own, and those of one name are one tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import RECORD, check_parts
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.values import Kind, Role, Tensor

#: What the training noted about each node, which a prediction does not use.
STATISTICS = Label(Kind.METADATA, "statistics of the training")


class Found(NamedTuple):
    """One array of one tree."""

    name: str
    at: int
    size: int
    numbers: int
    """How many numbers are in it."""


@dataclass(slots=True)
class Schema:
    """The arrays of a format by their names; others are structure."""

    learned: dict[str, str]
    """Thresholds and the values of leaves, with their types in memory."""
    indices: dict[str, str]
    """Which feature, which child: constants, with their types in memory."""
    noted: frozenset[str]
    """Statistics of the training."""
    encoding: str = ""
    """`Tensor.encoding` of all of them: how the file writes numbers."""


@dataclass(slots=True)
class _Joined:
    """The arrays of one name."""

    count: int = 0
    extents: list[tuple[int, int]] = field(default_factory=list)


def tensors(region: Region, arrays: Iterable[Found], schema: Schema) -> Iterator[Tensor]:
    """One tensor for each name; the bytes of all arrays are claimed."""
    joined: dict[str, _Joined] = {}
    for at, array in enumerate(arrays):
        check_parts(at)
        region.span.work.spend(RECORD)
        if array.name in schema.noted:
            region.claim(array.at, array.size, STATISTICS)
        elif array.name in schema.learned or array.name in schema.indices:
            one = joined.setdefault(array.name, _Joined())
            one.count += array.numbers
            one.extents.append((array.at, array.size))
    owners = Owners()
    for name, one in joined.items():
        if not one.count:
            continue
        learned = name in schema.learned
        dtype = schema.learned[name] if learned else schema.indices[name]
        held = owners.hold(name, region, *one.extents)
        yield Tensor(
            name=name,
            layer="",
            operator="",
            dtype=dtype,
            shape=(one.count,),
            role=Role.WEIGHT if learned else Role.CONSTANT,
            stored=held.stored,
            memory=dense_size(dtype, one.count),
            places=held.places,
            shares=held.shares,
            encoding=schema.encoding,
        )


def rest(region: Region, made: Iterable[Tensor], label: Label, *others: tuple[int, int]) -> None:
    """Claim what no tensor has; `others` are starts and sizes that already have another label."""
    holes = [(place.start - region.base, place.size) for tensor in made for place in tensor.places]
    region.claim_around(0, region.span.size, [*holes, *others], label)
