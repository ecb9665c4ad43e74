"""A prompt inside of the machine, to look around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.emulator.hardware import Hardware, Memory, command
from edgecheck.emulator.saved import ram_for

if TYPE_CHECKING:
    from edgecheck.emulator.spec import MachineSpec


def argv(spec: MachineSpec) -> list[str]:
    """The program to run with the user's terminal as its standard streams; it ends when the shell in it is left.

    The machine is the spec's, except that it starts anew and nothing waits in it.

    Raises:
        EmulatorError: QEMU is missing.
    """
    memory = Memory(ram_for(spec.available_bytes))
    hardware = Hardware(spec.image, spec.cpu, memory, spec.disks, scratch={}, options=("edgecheck.shell=yes",))
    return command(hardware, {})
