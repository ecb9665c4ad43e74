"""Arm cores by their codes in /proc/cpuinfo: their names, and the QEMU core with the same instruction set.

Names and parts: gcc's aarch64-cores.def. QEMU has few of them: one with the same instruction set stands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

_V8_0 = "cortex-a72"
_V8_2 = "cortex-a76"
_V9 = "max,sve=off,sme=off,pauth=off"


@dataclass(frozen=True, slots=True)
class ArmCore:
    """One kind of core."""

    part: str
    """`CPU part` of /proc/cpuinfo."""
    name: str
    emulation: str
    """The value of a profile's `emulation.cpu`."""


#: By (`CPU implementer`, `CPU part`), the slowest first.
ARM_CORES: Mapping[tuple[str, str], ArmCore] = MappingProxyType(
    {
        (implementer, part): ArmCore(part, name, emulation)
        for implementer, part, name, emulation in (
            ("0x41", "0xd04", "cortex-a35", "cortex-a35"),
            ("0x41", "0xd03", "cortex-a53", "cortex-a53"),
            ("0x41", "0xd05", "cortex-a55", _V8_2),
            ("0x41", "0xd46", "cortex-a510", _V9),
            ("0x41", "0xd80", "cortex-a520", _V9),
            ("0x41", "0xd07", "cortex-a57", "cortex-a57"),
            ("0x41", "0xd08", "cortex-a72", _V8_0),
            ("0x41", "0xd09", "cortex-a73", _V8_0),
            ("0x4e", "0x004", "nvidia-carmel", _V8_0),
            ("0x41", "0xd0a", "cortex-a75", _V8_2),
            ("0x41", "0xd0b", "cortex-a76", _V8_2),
            ("0x41", "0xd0d", "cortex-a77", _V8_2),
            ("0x41", "0xd41", "cortex-a78", _V8_2),
            ("0x41", "0xd42", "cortex-a78ae", _V8_2),
            ("0x41", "0xd47", "cortex-a710", _V9),
            ("0x41", "0xd4d", "cortex-a715", _V9),
            ("0x41", "0xd81", "cortex-a720", _V9),
            ("0x41", "0xd44", "cortex-x1", _V8_2),
            ("0x41", "0xd48", "cortex-x2", _V9),
            ("0x41", "0xd4e", "cortex-x3", _V9),
            ("0x41", "0xd82", "cortex-x4", _V9),
        )
    }
)


def fastest(implementers: Sequence[str], parts: Sequence[str]) -> ArmCore | None:
    """The fastest of the cores that a device lists; None where none is known."""
    found = [core for (maker, part), core in ARM_CORES.items() if maker in implementers and part in parts]
    return found[-1] if found else None
