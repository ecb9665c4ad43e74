"""What a PyTorch network takes: whole numbers where it looks something up, and which of them its tables have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from edgecheck.converters.samples import Port, ids_below
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ATEN = torch.ops.aten

#: Operators that look up rows: the positions of the table, of the axis (None: the first) and of the ids.
_LOOKUPS = {
    _ATEN.embedding.default: (0, None, 1),
    _ATEN._embedding_bag.default: (0, None, 1),  # noqa: SLF001 - the operator has no other name
    _ATEN._embedding_bag_forward_only.default: (0, None, 1),  # noqa: SLF001 - as above
    _ATEN.index_select.default: (0, 1, 2),
}

#: Operators that keep every value, or only its number type.
_KEEPING = (
    "_to_copy", "_unsafe_view", "alias", "clone", "contiguous", "detach", "expand", "flatten", "lift_fresh", "permute",
    "reshape", "select", "slice", "squeeze", "t", "transpose", "unsqueeze", "view",
)  # fmt: skip

#: Inputs up to which every choice of whole numbers is tried.
_MOST_INPUTS = 4


class _Lookups(TorchDispatchMode):  # type: ignore[misc] # torch does not type it
    """Follows inputs to the tables in which they are looked up; `sizes` has the smallest by an input's position."""

    def __init__(self, inputs: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self._from = WeakTensorKeyDictionary()
        for place, each in enumerate(inputs):
            self._from[each] = place

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operator, and note what it does to inputs."""
        del types
        made = func(*args, **(kwargs or {}))
        if func in _LOOKUPS:
            table, axis, ids = _LOOKUPS[func]
            self._note(args[ids], args[table].shape[args[axis] if axis is not None else 0])
        elif func is _ATEN.index.Tensor:
            for axis, each in enumerate(args[1]):
                self._note(each, args[0].shape[axis])
        elif func.__name__.partition(".")[0] in _KEEPING and args[0] in self._from:
            for each in tree_leaves(made):
                self._from[each] = self._from[args[0]]
        return made

    def _note(self, ids: Any, size: int) -> None:
        if torch.is_tensor(ids) and ids in self._from:
            place = self._from[ids]
            self.sizes[place] = min(size, self.sizes.get(place, size))


def typed(module: Any, ports: tuple[Port, ...], title: str) -> tuple[Port, ...]:
    """The inputs, those with whole numbers where the network takes no others; their types were not known.

    Raises:
        ConversionError: it takes neither, or inputs of other shapes.
    """
    with _unchanged(module):
        error = _called(module, ports)
        if error is not None and _is_about_shapes(error):
            given = " and ".join(f"{port.name} {[1 if size is None else size for size in port.dims]}" for port in ports)
            raise ConversionError(
                f"{title} does not take inputs of these shapes, {given}: {_in_short(error)}.",
                "Correct --input, or `inputs:` in the budget.",
            ) from error
        if error is None or not _is_about_types(error):
            return ports
        for chosen in _choices(len(ports)):
            tried = tuple(port._replace(dtype="int64") if place in chosen else port for place, port in enumerate(ports))
            if _called(module, tried) is None:
                return tried
    raise ConversionError(
        f"{title} does not take inputs of float32 or int64 in these shapes: {_in_short(error)}.",
        "Give samples of the type that it takes: --samples FILE, or `samples:` in a budget.",
    ) from error


def ranged(module: Any, ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """The inputs; those that are looked up in a table with random values that are in it."""
    if any(None in port.dims[1:] for port in ports):
        return ports
    values = _values(ports)
    with torch.no_grad(), _unchanged(module), _Lookups(values) as seen:
        try:
            module(*values)
        except Exception:  # noqa: BLE001 - a network can raise anything, and is run again where that counts
            return ports
    return tuple(
        port._replace(draw=ids_below(seen.sizes[place])) if place in seen.sizes else port
        for place, port in enumerate(ports)
    )


@contextmanager
def _unchanged(module: Any) -> Iterator[None]:
    """Calls of the network leave its buffers, such as counters, as they were."""
    kept = [(each, each.clone()) for each in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for each, first in kept:
                each.copy_(first)


def _choices(count: int) -> Iterator[tuple[int, ...]]:
    """Which inputs may be whole numbers: one of them, all, then the other choices."""
    sizes = dict.fromkeys((1, count, *range(2, count))) if count <= _MOST_INPUTS else (1, count)
    for size in sizes:
        yield from combinations(range(count), size)


def _called(module: Any, ports: tuple[Port, ...]) -> Exception | None:
    """What a call raises; None if it succeeds."""
    try:
        with torch.no_grad():
            module(*_values(ports))
    except Exception as error:  # noqa: BLE001 - a network can raise anything
        return error
    return None


def _values(ports: tuple[Port, ...]) -> list[torch.Tensor]:
    """Zeros, which every table has."""
    return [
        torch.from_numpy(np.zeros([1 if size is None else size for size in port.dims], dtype=port.dtype))
        for port in ports
    ]


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")


def _is_about_shapes(error: Exception) -> bool:
    said = str(error)
    return any(each in said for each in ("shapes cannot be multiplied", "reduction dim", "channels", "size of tensor"))


def _is_about_types(error: Exception) -> bool:
    said = str(error)
    return any(each in said for each in ("scalar type", "dtype", "Long", "must be long", "tensors used as indices"))
