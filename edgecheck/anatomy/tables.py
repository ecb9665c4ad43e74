"""Where the bytes are: by layer, operator, type or name, as a tree or as a table that sums to the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from edgecheck.anatomy.values import Anatomy, Kind, Tensor


class By(str, Enum):
    """How tensors are grouped."""

    LAYER = "layer"
    PREFIX = "prefix"
    OPERATOR = "operator"
    DTYPE = "dtype"
    ROLE = "role"
    TENSOR = "tensor"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A group of tensors, or of other bytes."""

    name: str
    kind: Kind
    stored: int
    """Bytes in the file."""
    memory: int = 0
    """Bytes once loaded; 0 for bytes that are not tensors."""
    params: int = 0
    """Weights."""
    tensors: int = 0
    """Number of tensors in the group."""
    dtype: str = ""
    """The type of most of its bytes."""
    shape: tuple[int, ...] | None = None
    """The shape of the largest of its tensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of the model; its `stored` is the sum of its children's."""

    name: str
    path: str
    """The names from the root, joined by "/"."""
    kind: Kind
    stored: int
    memory: int
    params: int
    tensors: int
    children: tuple[Node, ...] = ()


def table(anatomy: Anatomy, by: By = By.LAYER, depth: int = 1) -> tuple[Row, ...]:
    """Rows by descending `stored`, which sum to the size of the model.

    Args:
        anatomy: The model.
        by: How tensors are grouped into rows.
        depth: For `By.PREFIX`: how many names of a layer's path make up its group.
    """
    key = _key(by, depth, anatomy)
    groups: dict[str, list[Tensor]] = defaultdict(list)
    for tensor in anatomy.tensors:
        groups[key(tensor)].append(tensor)
    rows = [_row(name, tensors) for name, tensors in groups.items()]
    rows += [Row(name=f"({what})", kind=kind, stored=size) for (kind, what), size in _parts(anatomy).items() if size]
    return tuple(sorted(rows, key=lambda row: (-row.stored, -row.memory, row.name)))


def top(rows: tuple[Row, ...], count: int) -> tuple[Row, ...]:
    """The first `count` rows, and one for all others; the sums stay the same."""
    rest = rows[count:]
    if len(rest) < 2:  # noqa: PLR2004 - one more row takes no more space than "(1 others)"
        return rows
    others = Row(
        name=f"({len(rest)} others)",
        kind=Kind.TENSORS,
        stored=sum(row.stored for row in rest),
        memory=sum(row.memory for row in rest),
        params=sum(row.params for row in rest),
        tensors=sum(row.tensors for row in rest),
    )
    return (*rows[:count], others)


def tree(anatomy: Anatomy, depth: int | None = None) -> Node:
    """The model as a tree of its layers' names and of its other bytes; the largest children first.

    Args:
        anatomy: The model.
        depth: Levels of names; all of them by default.
    """
    leaves: list[tuple[tuple[str, ...], Row]] = []
    for tensor in anatomy.tensors:
        layer = tuple(tensor.layer.split("/")) if tensor.layer else ()
        leaves.append(((*layer, tensor.name)[:depth], _row(tensor.name, [tensor])))
    for (kind, what), size in _parts(anatomy).items():
        if size:
            leaves.append(((f"({kind.value})", what)[:depth], Row(name=what, kind=kind, stored=size)))
    return _node("", "", leaves, 0)


def _node(name: str, path: str, leaves: list[tuple[tuple[str, ...], Row]], level: int) -> Node:
    below: dict[str, list[tuple[tuple[str, ...], Row]]] = defaultdict(list)
    for leaf in leaves:
        if len(leaf[0]) > level:
            below[leaf[0][level]].append(leaf)
    children = [_node(each, f"{path}/{each}" if path else each, inside, level + 1) for each, inside in below.items()]
    rows = [row for _, row in leaves]
    return Node(
        name=name,
        path=path,
        kind=rows[0].kind if rows else Kind.TENSORS,
        stored=sum(row.stored for row in rows),
        memory=sum(row.memory for row in rows),
        params=sum(row.params for row in rows),
        tensors=sum(row.tensors for row in rows),
        children=tuple(sorted(children, key=lambda node: (-node.stored, -node.memory, node.name))),
    )


def _key(by: By, depth: int, anatomy: Anatomy) -> Callable[[Tensor], str]:
    keys: dict[By, Callable[[Tensor], str]] = {
        By.LAYER: lambda tensor: tensor.layer or tensor.name,
        By.PREFIX: lambda tensor: "/".join((tensor.layer or tensor.name).split("/")[:depth]),
        By.OPERATOR: lambda tensor: tensor.operator or "(no operator)",
        By.DTYPE: lambda tensor: tensor.dtype,
        By.ROLE: lambda tensor: tensor.role.value,
        By.TENSOR: lambda tensor: tensor.name,
        By.FILE: lambda tensor: anatomy.files[tensor.places[0].file].name if tensor.places else "(no file)",
    }
    return keys[by]


def _row(name: str, tensors: list[Tensor]) -> Row:
    largest = max(tensors, key=lambda tensor: (tensor.stored, tensor.memory))
    return Row(
        name=name,
        kind=Kind.TENSORS,
        stored=sum(tensor.stored for tensor in tensors),
        memory=sum(tensor.memory for tensor in tensors if not tensor.shares),
        params=sum(tensor.params for tensor in tensors),
        tensors=len(tensors),
        dtype=largest.dtype,
        shape=largest.shape,
    )


def _parts(anatomy: Anatomy) -> dict[tuple[Kind, str], int]:
    """Bytes of all files that are not tensors, by what they are for."""
    parts: dict[tuple[Kind, str], int] = defaultdict(int)
    for file in anatomy.files:
        for part in file.parts:
            if part.kind is not Kind.TENSORS:
                parts[part.kind, part.what] += part.size
    return parts
