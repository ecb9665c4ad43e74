"""Which instructions count as multiplying. Covers `counters/record.py`."""

from __future__ import annotations

import pytest

from edgecheck.emulator.counters.record import multiplies

#: As GNU as and LLVM encode them.
MULTIPLYING = {
    "fmla v0.4s, v1.4s, v2.4s": 0x4E22CC20,
    "fmls v0.2d, v1.2d, v2.2d": 0x4EE2CC20,
    "fmla v0.8h, v1.8h, v2.8h": 0x4E420C20,
    "fmls v0.8h, v1.8h, v2.8h": 0x4EC20C20,
    "fmla v0.4s, v1.4s, v2.s[1]": 0x4FA21020,
    "mla v0.4s, v1.4s, v2.4s": 0x4EA29420,
    "mls v0.8h, v1.8h, v2.8h": 0x6E629420,
    "smlal v0.4s, v1.4h, v2.4h": 0x0E628020,
    "umlal2 v0.4s, v1.8h, v2.8h": 0x6E628020,
    "smull v0.4s, v1.4h, v2.4h": 0x0E62C020,
    "smull v0.4s, v1.4h, v2.h[2]": 0x0F62A020,
    "sadalp v0.4s, v1.8h": 0x4E606820,
    "smlsl v0.4s, v1.4h, v2.4h": 0x0E62A020,
    "sdot v0.4s, v1.16b, v2.16b": 0x4E829420,
    "udot v0.4s, v1.16b, v2.4b[1]": 0x6FA2E020,
    "smmla v0.4s, v1.16b, v2.16b": 0x4E82A420,
    "bfdot v0.4s, v1.8h, v2.8h": 0x6E42FC20,
    "fmadd s0, s1, s2, s3": 0x1F020C20,
}
OTHER = {
    "fmul v0.4s, v1.4s, v2.4s": 0x6E22DC20,
    "fadd v0.4s, v1.4s, v2.4s": 0x4E22D420,
    "mul v0.4s, v1.4s, v2.4s": 0x4EA29C20,
    "fmax v0.4s, v1.4s, v2.4s": 0x4E22F420,
    "sqrdmulh v0.4s, v1.4s, v2.4s": 0x6EA2B420,
    "zip1 v0.4s, v1.4s, v2.4s": 0x4E823820,
    "madd x0, x1, x2, x3": 0x9B020C20,
    "ldr q0, [x1]": 0x3DC00020,
    "movz xzr, #0xec00": 0xD29D801F,
    "nop": 0xD503201F,
    "ret": 0xD65F03C0,
}


@pytest.mark.parametrize("text", MULTIPLYING)
def test_what_multiplies_and_accumulates(text: str) -> None:
    assert multiplies(MULTIPLYING[text])


@pytest.mark.parametrize("text", OTHER)
def test_everything_else(text: str) -> None:
    assert not multiplies(OTHER[text])
