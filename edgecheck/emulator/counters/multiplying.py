"""Which instructions of arm64 multiply and accumulate: the work itself, as against what surrounds it.

Encodings: Arm Architecture Reference Manual for A-profile, C4.1 "A64 instruction set encoding", in the tables of
advanced SIMD and of floating-point data processing (3 source).
"""

from __future__ import annotations

from functools import cache

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
