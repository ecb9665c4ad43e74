"""Who was first to use a piece of a file: a tensor that comes later shares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.region import Region
    from edgecheck.anatomy.values import Place


class Held(NamedTuple):
    """The bytes of a tensor; the fields are `Tensor`'s."""

    stored: int
    places: tuple[Place, ...]
    shares: str


class Owners:
    """The pieces of one model that tensors hold."""

    def __init__(self) -> None:
        self._names: dict[Place, str] = {}

    def hold(self, name: str, region: Region, *extents: tuple[int, int]) -> Held:
        """Enter starts and sizes for `name`, unless the first of them is another tensor's already."""
        places = tuple(region.place(at, size) for at, size in extents)
        owner = self._names.setdefault(places[0], name) if places and places[0].size else name
        if owner is not name:
            return Held(0, places, owner)
        return Held(sum(region.tensor(at, size)[0] for at, size in extents), places, "")
