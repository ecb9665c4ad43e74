"""Whose the bytes of torch's storages are: views may share them, and may leave some to nobody."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.torch.views import View, role_of
from edgecheck.anatomy.values import Role, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.anatomy.accounting.region import Region

Extent = tuple[int, int]
"""Start and stop in a region."""


class Named(NamedTuple):
    """A tensor with its path in the checkpoint."""

    path: tuple[str, ...]
    view: View

    @property
    def name(self) -> str:
        """As torch writes it."""
        return ".".join(self.path)


class _Share(NamedTuple):
    """What a view gets of its storage."""

    extent: Extent
    owner: str
    """The view whose bytes it uses; "" when it is the first."""
    stored: int


def tensors_of(named: list[Named], storages: Mapping[str, Extent], region: Region) -> list[Tensor]:
    """The tensors in their order, then what no tensor uses; every byte of every storage is entered.

    Raises:
        Damage: a tensor uses a storage that is not there, or more of it than there is.
    """
    by_storage: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(named):
        by_storage[each.view.storage].append(index)
    shares: dict[int, _Share] = {}
    unused: list[Tensor] = []
    for key, extent in storages.items():
        users = by_storage.get(key, [])
        rest = _divide(named, users, extent, shares, region)
        owner = f"the storage of {named[users[0]].name}" if users else f"storage {key}"
        unused += [_unused(owner, piece, region) for piece in rest]
    missing = next((each for index, each in enumerate(named) if index not in shares), None)
    if missing is not None:
        raise Damage(f"tensor {missing.name!r} is in the storage {missing.view.storage}, which is not there")
    return [_tensor(each, shares[index], region) for index, each in enumerate(named)] + unused


def _divide(
    named: list[Named], users: list[int], storage: Extent, shares: dict[int, _Share], region: Region
) -> list[Extent]:
    """Give each byte of a storage to the first view that covers it; the answer is what is left."""
    extents = {index: _extent(named[index], storage) for index in users}
    cursor, owner, rest = storage[0], "", []
    for index in sorted(users, key=lambda index: (extents[index][0], -extents[index][1], index)):
        start, stop = extents[index]
        if stop <= cursor and owner and stop > start:
            shares[index] = _Share((start, stop), owner, 0)
            continue
        if start > cursor:
            rest.append((cursor, start))
        begin = max(start, cursor)
        stored = region.tensor(begin, stop - begin)[0] if stop > begin else 0
        shares[index] = _Share((start, stop), "", stored)
        if stop > cursor:
            cursor, owner = stop, named[index].name
    if cursor < storage[1]:
        rest.append((cursor, storage[1]))
    return rest


def _extent(named: Named, storage: Extent) -> Extent:
    view = named.view
    start = storage[0] + dense_size(view.dtype, view.offset)
    stop = start + dense_size(view.dtype, view.reach)
    if stop > storage[1]:
        raise Damage(f"tensor {named.name!r} reaches {stop - storage[1]:,} bytes beyond its storage {view.storage}")
    return start, stop


def _tensor(named: Named, share: _Share, region: Region) -> Tensor:
    start, stop = share.extent
    view = named.view
    return Tensor(
        name=named.name,
        layer=layer_of(named.name),
        operator="",
        dtype=view.dtype,
        shape=view.shape,
        role=Role.CONSTANT if view.is_expanded else role_of(named.path, view),
        stored=share.stored,
        memory=stop - start,
        places=(region.place(start, stop - start),) if stop > start else (),
        shares=share.owner,
        encoding="expanded" if view.is_expanded else "",
    )


def _unused(owner: str, piece: Extent, region: Region) -> Tensor:
    size = piece[1] - piece[0]
    stored, places = region.tensor(piece[0], size)
    name = f"rest of {owner}"
    return Tensor(name, "", "", "bytes", (size,), Role.UNUSED, stored, size, places)
