"""Finds the arrays in what a pickle would build, under the names by which a person would reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from edgecheck.anatomy.accounting.limits import check_tensors
from edgecheck.anatomy.pickles.objects import Made, Mapping, Text, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LeafT = TypeVar("LeafT")

_TRANSPARENT = ("_parameters", "_buffers", "_modules")
"""Dictionaries in which torch's modules keep what they show as attributes."""
_CONTAINERS = (Mapping, Made, list, tuple)


@dataclass(frozen=True, slots=True)
class Leaf(Generic[LeafT]):
    """Something that was looked for."""

    path: tuple[str, ...]
    found: LeafT
    first: tuple[str, ...] | None
    """The path under which the very same object was met before, or `None`."""


def leaves(root: Value, recognise: Callable[[Value], LeafT | None]) -> Iterator[Leaf[LeafT]]:
    """Everything below `root` that `recognise` knows, in the order of the file; shared objects are told."""
    count = 0
    met: dict[int, tuple[str, ...]] = {}
    waiting: list[tuple[tuple[str, ...], Value]] = [((), root)]
    while waiting:
        path, value = waiting.pop()
        if not isinstance(value, _CONTAINERS):
            continue
        first = met.get(id(value))
        if first is None and value != ():
            met[id(value)] = path
        found = recognise(value)
        if found is not None:
            count += 1
            check_tensors(count)
            yield Leaf(path, found, first)
        elif first is None:
            waiting += reversed(list(_children(path, value)))


def _children(path: tuple[str, ...], value: Value) -> Iterator[tuple[tuple[str, ...], Value]]:
    if isinstance(value, Mapping):
        for key, child in value.pairs:
            yield (path if key in _TRANSPARENT else (*path, _component(key))), child
    elif isinstance(value, Made):
        yield from ((path, child) for child in _parts(value))
        plain = (item for item in value.items if not isinstance(item, Mapping))
        yield from (((*path, str(index)), child) for index, child in enumerate(plain))
        yield from ((path, item) for item in value.items if isinstance(item, Mapping))
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            yield (*path, _item_name(index, child)), child


def _parts(made: Made) -> Iterator[Value]:
    """What an object was made of: the contents alone of a tuple that holds one thing, and of an array of objects."""
    if made.called("numpy.core.multiarray._reconstruct") and isinstance(made.state, tuple):
        yield made.state[-1] if made.state else None
        return
    for part in (made.arguments, made.state):
        inside = [each for each in part if isinstance(each, _CONTAINERS)] if isinstance(part, tuple) else []
        yield inside[0] if len(inside) == 1 else part


def _item_name(index: int, child: Value) -> str:
    """The name of a named item, such as a pipeline's step `("scaler", scaler)`, else its number."""
    if isinstance(child, tuple) and len(child) > 1 and isinstance(child[0], Text):
        return child[0]
    return str(index)


def _component(key: Value) -> str:
    return str(key) if isinstance(key, (str, int, float)) else "?"
