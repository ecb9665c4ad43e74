"""Reads what the plugin wrote: misses, how often each basic block ran, and which of its instructions multiply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgecheck.emulator.counters.plugin import SECOND_LEVELS
from edgecheck.errors import EmulatorError

# Encodings: Arm Architecture Reference Manual for A-profile, C4.1 "A64 instruction set encoding", in the tables of
# advanced SIMD and of floating-point data processing (3 source).

#: Mask and value of groups. Q (bit 30) is never looked at; U (bit 29) where it distinguishes.
_PATTERNS = (
    (0xFF000000, 0x1F000000),  # fmadd, fmsub, fnmadd, fnmsub
    # Three registers of the same type: bits 15 to 10 are the operation.
    (0x9F20FC00, 0x0E209400),  # mla, mls
    (0xBFA0FC00, 0x0E20CC00),  # fmla of 32 and 64 bits
    (0xBFA0FC00, 0x0EA0CC00),  # fmls
    (0xBF60FC00, 0x0E400C00),  # fmla of 16 bits; with bit 23, fmls
    (0xBF60FC00, 0x0E200C00),
    (0xBFE0FC00, 0x0EC00C00),
    (0xBF60FC00, 0x0E20EC00),  # fmlal
    (0xBFE0FC00, 0x0EA0EC00),  # fmlsl
    (0xBF60FC00, 0x2E20CC00),  # fmlal2
    (0xBFE0FC00, 0x2EA0CC00),  # fmlsl2
    # Three registers, the result twice as wide.
    (0x9F20FC00, 0x0E208000),  # smlal, umlal
    (0x9F20FC00, 0x0E20A000),  # smlsl, umlsl
    (0xBF20FC00, 0x0E209000),  # sqdmlal
    (0xBF20FC00, 0x0E20B000),  # sqdmlsl
    (0x9F20FC00, 0x0E20C000),  # smull, umull: the first of a sum
    (0x9F3FFC00, 0x0E206800),  # sadalp, uadalp: which adds products of 8 bits to sums of 32
    # Three registers, extension.
    (0x9F20FC00, 0x0E009400),  # sdot, udot
    (0xBF20FC00, 0x0E009C00),  # usdot
    (0x9F20FC00, 0x0E00A400),  # smmla, ummla
    (0xBF20FC00, 0x0E00AC00),  # usmmla
    (0xBF20FC00, 0x2E00FC00),  # bfdot, bfmlal
    (0xBF20FC00, 0x2E00EC00),  # bfmmla
    # A vector and one element.
    (0x9F00B400, 0x0F001000),  # fmla, fmls (bit 14), with U = 0 fmla; with U = 1 fcmla
    (0xBF00B400, 0x2F000000),  # mla, mls
    (0x9F00B400, 0x0F002000),  # smlal, umlal, smlsl, umlsl
    (0x9F00F400, 0x0F00A000),  # smull, umull
    (0xBF00B400, 0x0F003000),  # sqdmlal, sqdmlsl
    (0x9F00F400, 0x0F00E000),  # sdot, udot
    (0xBF00F400, 0x0F00F000),  # usdot, sudot, bfdot, bfmlal
    (0xBFC0B400, 0x0F800000),  # fmlal, fmlsl
    (0xBFC0B400, 0x2F808000),  # fmlal2, fmlsl2
)


@cache
def multiplies(word: int) -> bool:
    """Whether the instruction multiplies and accumulates, in whatever type and width, or is half of that."""
    return any(word & mask == value for mask, value in _PATTERNS)


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
