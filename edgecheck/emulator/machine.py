"""Run a job in an emulated machine: resume it, give it the job's disk and input, hand out what it says."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.emulator import disk, saved
from edgecheck.emulator.deadline import Deadline
from edgecheck.emulator.hardware import JOB_DISK_BYTES
from edgecheck.emulator.qemu import Qemu
from edgecheck.emulator.running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.emulator.saved import Saved
    from edgecheck.emulator.spec import MachineSpec

_JOB_ROOM_BYTES = 256 << 20  # free space on the job's disk


@dataclass(frozen=True, slots=True)
class Job:
    """What the command that waits in the machine gets."""

    folder: Path
    """Copied to /job in the machine; what is written there is lost."""
    stdin: bytes
    seconds: float
    """The time allowed on the host, for the machine's start and end too."""


@contextlib.contextmanager
def run(spec: MachineSpec, state: Saved, job: Job) -> Iterator[Running]:
    """Run a job in a machine that is resumed from its saved state; leaving the context kills what still runs.

    Take `lines()` of what it gives, then ask for its `ending()`.

    Raises:
        EmulatorError: QEMU does not start or does not take the state, or there is no space for the job's disk.
    """
    deadline = Deadline.after(job.seconds)
    with tempfile.TemporaryDirectory(prefix="edgecheck-job-") as name:
        place = Path(name) / "job.img"
        disk.make(job.folder, place, free_bytes=_JOB_ROOM_BYTES)
        os.truncate(place, JOB_DISK_BYTES)
        with Qemu(state.hardware(spec, place), *saved.RESUMING) as qemu:
            saved.resume(qemu, state, deadline)
            running = Running(qemu, deadline)
            running.mount()
            running.go(job.stdin)
            yield running
