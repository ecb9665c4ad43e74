"""Weights that a model stores more than once, and tied weights, which share one place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.values import Anatomy, Role

#: Equal tensors below this size, in bytes, are not reported: biases of zeros are equal in every model.
_SMALLEST = 256


@dataclass(frozen=True, slots=True)
class Repeated:
    """Tensors with equal content."""

    names: tuple[str, ...]
    """In the order of the file."""
    tied: bool
    """Whether they share one place, so that nothing is wasted."""
    wasted: int
    """Bytes of all copies after the first."""


def repeated(anatomy: Anatomy) -> tuple[Repeated, ...]:
    """Tied and duplicated weights, the most wasteful first; only tensors of equal size are read.

    Raises:
        ModelError: the model's file is no longer there.
    """
    return tuple(sorted((*_tied(anatomy), *_copies(anatomy)), key=lambda group: (-group.wasted, group.names)))


def _tied(anatomy: Anatomy) -> list[Repeated]:
    groups: dict[str, list[str]] = defaultdict(list)
    for tensor in anatomy.tensors:
        if tensor.shares and tensor.role is Role.WEIGHT:
            groups[tensor.shares].append(tensor.name)
    return [Repeated((owner, *names), tied=True, wasted=0) for owner, names in groups.items()]


def _copies(anatomy: Anatomy) -> list[Repeated]:
    """Groups of copies: by type and size, then by checksum, then by the ends of the content, then by all of it."""
    tensors = anatomy.tensors
    candidates = [
        index
        for index, tensor in enumerate(tensors)
        if tensor.stored >= _SMALLEST
        and tensor.places
        and tensor.role in (Role.WEIGHT, Role.OPTIMIZER)
        and tensor.encoding != "filled"
    ]
    groups = _split([candidates], lambda index: (tensors[index].dtype, tensors[index].stored))
    groups = _split(groups, lambda index: tensors[index].checksum)
    with Contents(anatomy) as contents:
        groups = _split(groups, lambda index: contents.glance(tensors[index]))
        groups = _split(groups, lambda index: contents.digest(tensors[index]))
    return [
        Repeated(
            tuple(tensors[index].name for index in group),
            tied=False,
            wasted=sum(tensors[index].stored for index in group[1:]),
        )
        for group in groups
    ]


def _split(groups: Iterable[list[int]], key: Callable[[int], object]) -> list[list[int]]:
    """The groups divided by `key`, without groups of one."""
    kept: list[list[int]] = []
    for group in groups:
        parts: dict[object, list[int]] = defaultdict(list)
        for index in group:
            parts[key(index)].append(index)
        kept += [part for part in parts.values() if len(part) > 1]
    return kept
