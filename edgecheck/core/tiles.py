"""Where the bytes of an artifact are, in as many parts as a person can tell apart: what a treemap draws."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tiles:
    """Parts and their parts, column by column, a parent before its children; the first one is the whole file.

    The sizes of a part's own parts sum to its size.
    """

    parent: tuple[int, ...]
    """Index of what it is a part of; -1 for the first."""
    name: tuple[str, ...]
    size: tuple[int, ...]
    """Bytes in the file."""
    group: tuple[str, ...]
    """What most of it is: `weight`, `constant`, `structure`, …"""
    detail: tuple[str, ...]
    """Type and shape of a tensor; how many there are, of several."""

    def __post_init__(self) -> None:
        """Whoever draws it counts on its being a tree.

        Raises:
            ValueError: it is none.
        """
        count = len(self.parent)
        if not count or {len(column) for column in (self.name, self.size, self.group, self.detail)} != {count}:
            raise ValueError("the columns are not of one length")
        if self.parent[0] != -1 or not all(0 <= parent < at for at, parent in enumerate(self.parent[1:], 1)):
            raise ValueError("a part comes before what it is a part of")
        if min(self.size) < 0:
            raise ValueError("a size is negative")
