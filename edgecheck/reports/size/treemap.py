"""The tiles of a treemap: the tree of a model's layers, as many of them as a person can tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.tables import tree
from edgecheck.anatomy.values import Kind, Role
from edgecheck.core.report import Tiles
from edgecheck.errors import ModelError
from edgecheck.reports.size import words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgecheck.anatomy.tables import Node
    from edgecheck.anatomy.values import Anatomy, Tensor

FINEST = 2000
"""A part smaller than one of so many of the model, in the file and in memory, is drawn with others like it."""

FINEST_OF_CHECK = 200
"""The same for the small picture in the report of a check, which may have hundreds of them."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle; the tiles of one parent sum to it."""

    parent: int
    """Index of the parent; -1 for the model itself."""
    name: str
    stored: int
    memory: int
    params: int
    group: str
    """A key of `GROUPS`: what most of it is."""
    detail: str
    """Type and shape of a tensor; how many there are, of several."""


@dataclass(frozen=True, slots=True)
class Treemap:
    """All tiles, parents before their children, and where a layer is among them."""

    tiles: tuple[Tile, ...]
    places: Mapping[str, int]
    """By path: the index of its tile."""


def tiles_of(artifact: Path) -> Tiles | None:
    """The parts of an artifact for the report of its check; None where the file is not there or cannot be read."""
    try:
        status = artifact.stat()
        return _tiles_of(artifact, status.st_mtime_ns, status.st_size)
    except (OSError, ModelError):
        return None


@lru_cache(maxsize=8)  # one artifact is checked on many devices
def _tiles_of(artifact: Path, _changed: int, _size: int) -> Tiles:
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
    drawing = _Drawing(anatomy, finest)
    drawing.add(tree(anatomy), -1)
    return Treemap(tuple(drawing.tiles), drawing.places)


class _Drawing:
    """Takes nodes of the tree and makes tiles of them."""

    def __init__(self, anatomy: Anatomy, finest: int) -> None:
        self.tiles: list[Tile] = []
        self.places: dict[str, int] = {}
        totals = anatomy.totals
        self._finest = totals.size / finest, totals.memory / finest
        self._title = words.model_name(anatomy)
        self._tensors: dict[str, Tensor] = {}
        for tensor in anatomy.tensors:
            self._tensors.setdefault("/".join(part for part in (tensor.layer, tensor.name) if part), tensor)

    def add(self, node: Node, parent: int) -> None:
        """A node, and what is in it; a node with a single part is drawn as that part, under both names."""
        name, index = _own_name(node), len(self.tiles)
        self.places[node.path] = index
        while parent >= 0 and len(node.children) == 1:
            node = node.children[0]
            name = f"{name}/{_own_name(node)}"
            self.places[node.path] = index
        shown = words.shown(name) if parent >= 0 else self._title
        self._draw(parent, shown, [node], self._detail(node))
        small = [child for child in node.children if self._is_small(child)]
        drawn = node.children if len(small) < 2 else [c for c in node.children if not self._is_small(c)]  # noqa: PLR2004
        for child in drawn:
            self.add(child, index)
        if len(drawn) < len(node.children):
            self._add_small(small, index)

    def _add_small(self, nodes: list[Node], parent: int) -> None:
        self._draw(parent, f"({len(nodes)} small ones)", nodes, _count(sum(node.tensors for node in nodes)))

    def _draw(self, parent: int, name: str, nodes: list[Node], detail: str) -> None:
        stored, memory, params = (sum(map(size, nodes)) for size in (_stored, _memory, _params))
        group = self._group(max(nodes, key=_stored))
        self.tiles.append(Tile(parent, name, stored, memory, params, group, detail))

    def _is_small(self, node: Node) -> bool:
        return node.stored < self._finest[0] and node.memory < max(1.0, self._finest[1])

    def _group(self, node: Node) -> str:
        """That of the largest part of the largest part, down to a leaf."""
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
        parts = (tensor.operator, tensor.dtype, words.shape(tensor.shape)) if tensor else ()
        return ", ".join(words.shown(part, 60) for part in parts if part)


def _own_name(node: Node) -> str:
    """What a tensor is called within its layer: frameworks repeat the layer's name, with dots or with slashes."""
    above = node.path[: -len(node.name) - 1]
    if node.children or not above:
        return node.name
    for start in (above, above.replace("/", ".")):
        if node.name.startswith(start):
            return node.name[len(start) :].lstrip("/._:") or node.name
    return node.name


def _stored(node: Node) -> int:
    return node.stored


def _memory(node: Node) -> int:
    return node.memory


def _params(node: Node) -> int:
    return node.params


def _count(tensors: int) -> str:
    return f"{tensors:,} tensor{'s' if tensors != 1 else ''}" if tensors else ""
