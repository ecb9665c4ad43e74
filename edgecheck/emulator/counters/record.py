"""Reads what the plugin wrote: misses, and how often each basic block was executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecheck.emulator.counters.multiplying import multiplies
from edgecheck.emulator.counters.plugin import SECOND_LEVELS
from edgecheck.errors import EmulatorError


@dataclass(frozen=True, slots=True)
class Block:
    """A basic block as QEMU cut it."""

    executions: int
    words: tuple[int, ...]
    """Its instructions, as 32-bit words."""

    @property
    def instructions(self) -> int:
        """How many were executed in all."""
        return self.executions * len(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that was counted between two marks."""

    l1_loads: int
    """Loads that missed the first level."""
    l1_stores: int
    l2: Mapping[int, int]
    """Misses of both kinds by the size of the second level in bytes."""
    blocks: tuple[Block, ...]

    @property
    def instructions(self) -> int:
        """Instructions executed."""
        return sum(block.instructions for block in self.blocks)

    @property
    def multiplying(self) -> int:
        """Those of them that multiply and accumulate."""
        return sum(block.executions * sum(map(multiplies, block.words)) for block in self.blocks)


def read(path: Path) -> Record | None:
    """The last complete record in a file; None where there is none.

    Raises:
        EmulatorError: it does not have the plugin's form, or the plugin had no place for all blocks.
    """
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    complete = text.split("end\n")[:-1]
    if not complete:
        return None
    try:
        return _record(complete[-1].splitlines())
    except (ValueError, KeyError) as error:
        raise EmulatorError(f"The plugin's record cannot be read: {error}.") from error


def _record(lines: Iterable[str]) -> Record:
    fields: dict[str, list[int]] = {}
    blocks = []
    for line in lines:
        name, *values = line.split()
        if name == "block":
            blocks.append(Block(int(values[0]), _words(values[1])))
        else:
            fields[name] = [int(value) for value in values]
    if fields["lost"] != [0]:
        raise ValueError(f"{fields['lost'][0]} executions of blocks that had no place")
    loads, stores = fields["l1"]
    second = dict(zip(SECOND_LEVELS, fields["l2"], strict=True))
    return Record(l1_loads=loads, l1_stores=stores, l2=second, blocks=tuple(blocks))


def _words(digits: str) -> tuple[int, ...]:
    return tuple(int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
