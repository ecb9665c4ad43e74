"""Many figures of one run, eight bytes each: a rack keeps millions, and a tuple takes 32 bytes for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload


class Samples(Sequence[float]):
    """Numbers that do not change, in order; equal to any sequence of the same numbers."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values = array("d", values)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    @overload
    def __getitem__(self, at: int) -> float: ...

    @overload
    def __getitem__(self, at: slice) -> Samples: ...

    def __getitem__(self, at: int | slice) -> float | Samples:
        return Samples(self._values[at]) if isinstance(at, slice) else self._values[at]

    def to_list(self) -> list[float]:
        """The numbers as a list, for JSON."""
        return self._values.tolist()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Samples):
            return self._values == other._values
        return isinstance(other, tuple | list) and tuple(self._values) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self._values))

    def __repr__(self) -> str:
        return f"Samples({list(self._values)})"
