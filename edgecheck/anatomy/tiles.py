"""A model as the tiles of a treemap: the tree of its layers, in as many parts as a person can distinguish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.tables import Node, tree
from edgecheck.anatomy.values import Anatomy, Kind, Role, Tensor
from edgecheck.core.report import Tiles
from edgecheck.core.text import middle_cut
from edgecheck.errors import ModelError

#: A part is drawn together with other small ones if it is less than 1/FINEST of the model, in the file and in memory.
FINEST = 2000

#: The same for the small picture in the report of a check, which may have hundreds of them.
FINEST_OF_CHECK = 200

#: The most characters of a name, and of a tensor's type or shape; hostile names have millions.
_LONGEST_NAME = 120
_LONGEST_DETAIL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A rectangle; the tiles of one parent sum to it."""

    parent: int
    """Index of the parent; -1 for the model itself."""
    name: str
    stored: int
    memory: int
    params: int
    group: str
    """The role or kind of most of its bytes, as in `anatomy.values`."""
    detail: str
    """Type and shape of a tensor; the number of tensors where there are several."""


@dataclass(frozen=True, slots=True)
class Treemap:
    """All tiles, parents before their children, and the tile of each layer."""

    tiles: tuple[Tile, ...]
    places: Mapping[str, int]
    """Index of a layer's tile, by the layer's path."""


def tiles_of(artifact: Path) -> Tiles | None:
    """The parts of an artifact for the report of its check; None where the file is missing or cannot be read."""
    try:
        status = artifact.stat()
        return _cached_tiles(artifact, status.st_mtime_ns, status.st_size)
    except (OSError, ModelError):
        return None


@lru_cache(maxsize=8)  # one artifact is checked on many devices
def _cached_tiles(artifact: Path, _changed: int, _size: int) -> Tiles:
    tiles = treemap(read(artifact), FINEST_OF_CHECK).tiles
    return Tiles(
        parent=tuple(tile.parent for tile in tiles),
        name=tuple(tile.name for tile in tiles),
        size=tuple(tile.stored for tile in tiles),
        group=tuple(tile.group for tile in tiles),
        detail=tuple(tile.detail for tile in tiles),
    )


def treemap(anatomy: Anatomy, finest: int = FINEST) -> Treemap:
    """The model as tiles; the first one is the model."""
    builder = _Builder(anatomy, finest)
    builder.add(tree(anatomy), -1)
    return Treemap(tuple(builder.tiles), builder.places)


class _Builder:
    """Makes tiles of the nodes of a tree."""

    def __init__(self, anatomy: Anatomy, finest: int) -> None:
        self.tiles: list[Tile] = []
        self.places: dict[str, int] = {}
        totals = anatomy.totals
        self._finest = totals.size / finest, totals.memory / finest
        self._title = middle_cut(PurePath(anatomy.path).name or anatomy.path, _LONGEST_NAME)
        self._tensors: dict[str, Tensor] = {}
        for tensor in anatomy.tensors:
            self._tensors.setdefault("/".join(part for part in (tensor.layer, tensor.name) if part), tensor)

    def add(self, node: Node, parent: int) -> None:
        """Add a node and its children; a node with one child becomes one tile with it, under both names."""
        name, index = _name_in_layer(node), len(self.tiles)
        self.places[node.path] = index
        while parent >= 0 and len(node.children) == 1:
            node = node.children[0]
            name = f"{name}/{_name_in_layer(node)}"
            self.places[node.path] = index
        shown = middle_cut(name, _LONGEST_NAME) if parent >= 0 else self._title
        self._add_tile(parent, shown, [node], self._detail(node))
        small = [child for child in node.children if self._is_small(child)]
        drawn = node.children if len(small) < 2 else [c for c in node.children if not self._is_small(c)]  # noqa: PLR2004
        for child in drawn:
            self.add(child, index)
        if len(drawn) < len(node.children):
            self._add_small(small, index)

    def _add_small(self, nodes: list[Node], parent: int) -> None:
        self._add_tile(parent, f"({len(nodes)} small ones)", nodes, _count(sum(node.tensors for node in nodes)))

    def _add_tile(self, parent: int, name: str, nodes: list[Node], detail: str) -> None:
        stored, memory, params = (sum(map(size, nodes)) for size in (_stored, _memory, _params))
        group = self._group(max(nodes, key=_stored))
        self.tiles.append(
            Tile(parent=parent, name=name, stored=stored, memory=memory, params=params, group=group, detail=detail)
        )

    def _is_small(self, node: Node) -> bool:
        return node.stored < self._finest[0] and node.memory < max(1.0, self._finest[1])

    def _group(self, node: Node) -> str:
        """The role or kind of the largest leaf: the largest child's largest child, and so on."""
        while node.children:
            node = node.children[0]
        if node.kind is not Kind.TENSORS:
            return str(node.kind.value)
        tensor = self._tensors.get(node.path)
        role = tensor.role if tensor else Role.WEIGHT
        return role.value

    def _detail(self, node: Node) -> str:
        if node.children or node.kind is not Kind.TENSORS:
            return _count(node.tensors)
        tensor = self._tensors.get(node.path)
        parts = (tensor.operator, tensor.dtype, _shape(tensor.shape)) if tensor else ()
        return ", ".join(middle_cut(part, _LONGEST_DETAIL) for part in parts if part)


def _name_in_layer(node: Node) -> str:
    """The tensor's name without its layer's, which frameworks repeat, with dots or with slashes."""
    above = node.path[: -len(node.name) - 1]
    if node.children or not above:
        return node.name
    for start in (above, above.replace("/", ".")):
        if node.name.startswith(start):
            return node.name[len(start) :].lstrip("/._:") or node.name
    return node.name


def _shape(sizes: tuple[int, ...] | None) -> str:
    """`64 x 3 x 3`; `scalar` without axes, empty without a shape."""
    return "" if sizes is None else " x ".join(map(str, sizes)) or "scalar"


def _stored(node: Node) -> int:
    return node.stored


def _memory(node: Node) -> int:
    return node.memory


def _params(node: Node) -> int:
    return node.params


def _count(tensors: int) -> str:
    return f"{tensors:,} tensor{'s' if tensors != 1 else ''}" if tensors else ""
