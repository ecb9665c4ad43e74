"""Dimensions that a model leaves open and nobody has given: what it costs depends on them, so nothing is measured.

An open batch is 1. A model may name its dimensions: a name that is the batch of one input is the batch everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.signature import Port, signature
from edgecheck.converters.matching import short
from edgecheck.core.text import clean
from edgecheck.errors import ModelError, UndecidedError

if TYPE_CHECKING:
    from edgecheck.core.artifact import Artifact
    from edgecheck.core.budget import Budget

#: Words in the name of a dimension that is not the batch although it comes first.
_NOT_A_BATCH = frozenset(
    ("time", "seq", "sequence", "len", "length", "frames", "steps", "samples", "points", "tokens", "height", "width")
)
#: Axes of a picture: batch, height, width and channels, in some order.
_PICTURE = 4


def ensure_known(budget: Budget, artifact: Artifact, command: Callable[[Mapping[str, str]], str]) -> None:
    """Ensure that every dimension of the artifact that is not the batch has a size.

    Args:
        budget: What is checked.
        artifact: What the device runs.
        command: Returns the command that gives these shapes, by input.

    Raises:
        UndecidedError: one has none; the hint holds the command, or the line for the budget, that gives it.
    """
    if budget.samples is not None:
        return
    try:
        ports = signature(Path(artifact.path), artifact.signature).inputs
    except ModelError:  # the runtime will say what is wrong with it
        return
    asked = missing(ports, budget.inputs)
    if not asked:
        return
    seen = " and ".join(f"input {clean(each.name)} has shape {each.shape}" for each in asked)
    raise UndecidedError(
        f"the model leaves a dimension open on which memory and latency depend: {seen}", _way(budget, asked, command)
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """An input whose shape is needed."""

    name: str
    shape: str
    """`[?, ?]`."""
    sizes: tuple[str, ...]
    """What to write, with a word in capitals for each size that is needed: `1`, `SAMPLES`."""


def missing(ports: Sequence[Port], given: Collection[str]) -> tuple[Asked, ...]:
    """The inputs that leave more than the batch open and are not among those `given`, by name."""
    batches = _batches(ports)
    words = _Words()
    found = []
    for port in ports:
        if {port.name, short(port.name)} & set(given):
            continue
        sizes = tuple(
            str(size) if size is not None else "1" if (port.name, axis) in batches else words.word(port, axis)
            for axis, size in enumerate(port.shape)
        )
        if not all(size.isdigit() for size in sizes):
            shape = f"[{', '.join('?' if size is None else str(size) for size in port.shape)}]"
            found.append(Asked(short(port.name), shape, sizes))
    return tuple(found)


def _batches(ports: Sequence[Port]) -> set[tuple[str, int]]:
    """The input and axis of each open dimension that is the batch."""
    leading = [port for port in ports if len(port.shape) > 1 and port.shape[0] is None and _may_be_batch(port)]
    symbols = {_symbol(port, 0) for port in leading} - {""}
    found = {(port.name, 0) for port in leading}
    for port in ports:
        found |= {(port.name, axis) for axis in range(len(port.shape)) if _symbol(port, axis) in symbols}
        # A single vector of floats is mostly sound, which is as long as it is; texts, indices and columns are a batch.
        vector = len(ports) == 1 and port.dtype.startswith(("float", "bfloat"))
        if len(port.shape) == 1 and port.shape[0] is None and not vector and _may_be_batch(port):
            found.add((port.name, 0))
    return found


def _symbol(port: Port, axis: int) -> str:
    """The name of an open dimension; empty where it has none, or one that only says that it is open, such as `?`."""
    symbol = port.symbols[axis] if axis < len(port.symbols) else ""
    return symbol if any(character.isalpha() for character in symbol) else ""


def _may_be_batch(port: Port) -> bool:
    words = set(re.split(r"[^a-z]+", _symbol(port, 0).lower()))
    return not words & _NOT_A_BATCH or "batch" in words


class _Words:
    """A word for each dimension that is needed: the same for the same name, another one for any other dimension."""

    def __init__(self) -> None:
        self._of: dict[object, str] = {}

    def word(self, port: Port, axis: int) -> str:
        """The word for an open dimension: H and W of a picture, its name in capitals, else D1, D2, ..."""
        symbol = _symbol(port, axis)
        key: object = symbol or (port.name, axis)
        if key not in self._of:
            self._of[key] = self._new(symbol, port, axis)
        return self._of[key]

    def _new(self, symbol: str, port: Port, axis: int) -> str:
        if len(port.shape) == _PICTURE and axis:
            letter = ("CHW" if port.shape[1] is not None else "HWC")[axis - 1]
            if letter not in self._of.values():
                return letter
        named = re.sub(r"\W+", "_", symbol).strip("_").upper()
        if named and not named[0].isdigit() and named not in self._of.values():
            return named
        return next(word for at in range(1, 1000) if (word := f"D{at}") not in self._of.values())


def _way(budget: Budget, asked: Sequence[Asked], command: Callable[[Mapping[str, str]], str]) -> str:
    shapes = {clean(each.name): ",".join(each.sizes) for each in asked}
    if budget.path:
        written = ", ".join(f"{name}: [{sizes.replace(',', ', ')}]" for name, sizes in shapes.items())
        return f"Write `inputs: {{{written}}}` into {budget.path}, with numbers for the words; or `samples:`."
    return f"Give the sizes, with numbers for the words: {command(shapes)} (or --samples FILE)"
