"""Use a machine: resume it for a job, with the job's disk and input; or start it with a shell at the terminal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgecheck.emulator import disks, saved
from edgecheck.emulator.hardware import JOB_DISK_BYTES, Hardware, MachineSpec, Memory, command
from edgecheck.emulator.qemu import Patience, Qemu
from edgecheck.emulator.running import Running
from edgecheck.emulator.saved import Saved
from edgecheck.scratch import scratch

#: Free space on the job's disk.
_JOB_ROOM_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """What the command that waits in the machine gets."""

    folder: Path
    """Copied to /job in the machine; what is written there is lost."""
    stdin: bytes
    seconds: float
    """The time allowed on the host, from the machine's start to its end, when QEMU has a processor."""
    plugin: tuple[str, ...] = ()
    """QEMU's words for a plugin that counts meanwhile."""


@contextlib.contextmanager
def run(spec: MachineSpec, state: Saved, job: Job) -> Iterator[Running]:
    """Run a job in a machine that is resumed from its saved state; leaving the context kills what still runs.

    Read the `lines()` of the machine, then its `ending()`.

    Raises:
        EmulatorError: QEMU does not start or does not accept the state, or there is no space for the job's disk.
    """
    with scratch() as folder:
        disk = folder / "job.img"
        disks.make(job.folder, disk, free_bytes=_JOB_ROOM_BYTES)
        os.truncate(disk, JOB_DISK_BYTES)
        with Qemu(state.hardware(spec, disk), *saved.RESUMING, *job.plugin) as qemu:
            patience = Patience(job.seconds, qemu.pid)
            saved.resume(qemu, state, patience)
            running = Running(qemu, patience)
            running.mount()
            running.go(job.stdin)
            yield running


def shell(spec: MachineSpec) -> list[str]:
    """The argv of a machine with a shell on its standard streams; it ends when the shell is left.

    The machine is the spec's, except that it boots from the start and no command waits in it.

    Raises:
        EmulatorError: QEMU is missing.
    """
    hardware = Hardware(
        image=spec.image,
        cpu=spec.cpu,
        memory=Memory(saved.ram_for(spec.available_bytes)),
        disks=spec.disks,
        scratch={},
        options=("edgecheck.shell=yes",),
    )
    return command(hardware, {})
