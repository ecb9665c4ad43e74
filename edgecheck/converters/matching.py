"""Which of one model's inputs or outputs corresponds to which of another's, after a converter has renamed them.

Names written by a person are taken literally: see `assigned`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

#: Names that converters number by position: `args_0`, `output_1`, `Identity_2`, `StatefulPartitionedCall:1`.
_NUMBERED = re.compile(r"(?:args|output|input|Identity|PartitionedCall|StatefulPartitionedCall(?:_\d+)?)(?:[_:](\d+))?")

#: Names by which a person means a position: numpy's for unnamed arrays, converters' for arguments.
_POSITIONAL = re.compile(r"(?:arr|args)_(\d+)")


def short(name: str) -> str:
    """A tensor's name without what converters put around it: `serving_default_image:0` is `image`."""
    for prefix in ("serving_default_", "serve_"):
        name = name.removeprefix(prefix)
    head, _, tail = name.rpartition(":")
    return head if head and tail.isdigit() else name


def labels(names: Sequence[str]) -> dict[str, str]:
    """By name: its short form, or itself where the short form means another name too, as of `ids:0` and `ids:1`."""
    count = Counter(map(short, names))
    return {name: short(name) if count[short(name)] == 1 and short(name) not in names else name for name in names}


def matched(names: Sequence[str], others: Sequence[str]) -> tuple[int, ...] | None:
    """For each of `names` its position in `others`: by name, else by the numbers in the names, else in order.

    None when their numbers differ and the names do not decide.
    """
    return _by_name(names, others) or _by_order(names, others)


def assigned(names: Sequence[str], given: Sequence[str]) -> tuple[int, ...] | None:
    """For each of a model's inputs, `names`, its position in `given`, the names that a person wrote.

    By name, or by number where all of `given` are numbered (`arr_0`, `arr_1`). Never by order alone, as `matched` does
    for two files that converters named: a person means the names, and two inputs of the same shape would be swapped
    silently. None where neither decides; the caller judges a single name for a single input.
    """
    if (places := _by_name(names, given)) is not None:
        return places
    known = {view(name) for name in names for view in (str, short)}
    found = [_POSITIONAL.fullmatch(short(name)) for name in given]
    numbers = [int(one.group(1)) for one in found if one is not None]
    if len(numbers) != len(names) or sorted(numbers) != list(range(len(given))) or known & {*given, *map(short, given)}:
        return None
    return tuple(numbers.index(place) for place in range(len(names)))


def _by_name(names: Sequence[str], others: Sequence[str]) -> tuple[int, ...] | None:
    for view in (str, short):
        places = {view(name): place for place, name in enumerate(others)}
        is_clear = len(places) == len(others) and len({view(name) for name in names}) == len(names)
        if is_clear and names and all(view(name) in places for name in names):
            return tuple(places[view(name)] for name in names)
    return None


def _by_order(names: Sequence[str], others: Sequence[str]) -> tuple[int, ...] | None:
    if len(names) != len(others):
        return None
    ranks = (_ranked(names), _ranked(others))
    place_of_rank = {rank: place for place, rank in enumerate(ranks[1])}
    return tuple(place_of_rank[rank] for rank in ranks[0])


def _ranked(names: Sequence[str]) -> tuple[int, ...]:
    """The rank of each name: by its number if every name has a different one, else its position."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(one.group(1) or 0) for one in found if one is not None]
    if len(numbers) != len(names) or len(set(numbers)) != len(names):
        return tuple(range(len(names)))
    order = sorted(numbers)
    return tuple(order.index(number) for number in numbers)
