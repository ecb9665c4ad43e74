"""Which of one model's inputs or outputs is which of the other's, when a converter has renamed them.

A person's names are taken at their word: see `assigned`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Names that converters give by place: `args_0`, `output_1`, `Identity_2`, `StatefulPartitionedCall:1`.
_NUMBERED = re.compile(r"(?:args|output|input|Identity|PartitionedCall|StatefulPartitionedCall(?:_\d+)?)(?:[_:](\d+))?")

#: Names by which a person says which place is meant: numpy's for arrays without a name, converters' for arguments.
_PLACED = re.compile(r"(?:arr|args)_(\d+)")


def short(name: str) -> str:
    """A tensor's name without what converters put around it: `serving_default_image:0` is `image`."""
    for prefix in ("serving_default_", "serve_"):
        name = name.removeprefix(prefix)
    head, _, tail = name.rpartition(":")
    return head if head and tail.isdigit() else name


def matched(names: Sequence[str], others: Sequence[str]) -> tuple[int, ...] | None:
    """For each of `names` the place in `others`: by name, else by the numbers in the names, else in order.

    None when they are not equally many, and no name decides.
    """
    return _by_name(names, others) or _by_order(names, others)


def assigned(names: Sequence[str], given: Sequence[str]) -> tuple[int, ...] | None:
    """For each of a model's inputs, `names`, the place in what a person has named, `given`.

    By name; by number where all of them are numbered (`arr_0`, `arr_1`). Never by order alone, as `matched` does for
    two files that converters have named: whoever gives names means them, and two inputs of one shape would be swapped
    without a word. None where that decides nothing; a single name for a single input is for the caller to judge.
    """
    if (places := _by_name(names, given)) is not None:
        return places
    known = {view(name) for name in names for view in (str, short)}
    found = [_PLACED.fullmatch(short(name)) for name in given]
    numbers = [int(one.group(1)) for one in found if one is not None]
    if len(numbers) != len(names) or sorted(numbers) != list(range(len(given))) or known & {*given, *map(short, given)}:
        return None
    return tuple(numbers.index(place) for place in range(len(names)))


def _by_name(names: Sequence[str], others: Sequence[str]) -> tuple[int, ...] | None:
    for view in (str, short):
        places = {view(name): place for place, name in enumerate(others)}
        if len(places) == len(others) and names and all(view(name) in places for name in names):
            return tuple(places[view(name)] for name in names)
    return None


def _by_order(names: Sequence[str], others: Sequence[str]) -> tuple[int, ...] | None:
    if len(names) != len(others):
        return None
    ranks = (_ranked(names), _ranked(others))
    place_of_rank = {rank: place for place, rank in enumerate(ranks[1])}
    return tuple(place_of_rank[rank] for rank in ranks[0])


def _ranked(names: Sequence[str]) -> tuple[int, ...]:
    """The rank of each name: by its number where every name has another one, else its place."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(one.group(1) or 0) for one in found if one is not None]
    if len(numbers) != len(names) or len(set(numbers)) != len(names):
        return tuple(range(len(names)))
    order = sorted(numbers)
    return tuple(order.index(number) for number in numbers)
