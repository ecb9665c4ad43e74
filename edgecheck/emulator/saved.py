"""A machine saved after its boot, and resumed for each job.

Its RAM is a file that it was started with, and that stays as it is when the machine stops; QEMU saves only what its
devices hold (the capability `x-ignore-shared`, made for this). A machine that resumes maps the file privately: nothing
is read before it is used, machines side by side share what they do not change, and the file stays as it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edgecheck.emulator.deadline import Deadline
from edgecheck.emulator.hardware import JOB_DISK_BYTES, Hardware, Memory
from edgecheck.emulator.qemu import Qemu
from edgecheck.emulator.running import Running
from edgecheck.emulator.store import STATES
from edgecheck.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.emulator.spec import MachineSpec
    from edgecheck.emulator.store import Progress, Store

RESUMING = ("-incoming", "defer")

_RAM, _DEVICES = "ram", "devices"
_MOST_BYTES = 4 << 30  # of the cache; a state takes about 150 MB
_STATE_BYTES = 384 << 20  # and what a larger RAM adds to it
_STARTING = 120.0  # seconds, on a host that is busy
_NEAR = 512 << 10  # bytes of MemAvailable that do not matter
_TRIES = 4
_STEP = 64 << 10  # what QEMU and hosts with large pages take as a size of RAM
_PAUSE = 0.002  # seconds between two questions whether a state is read, which takes about 10 ms


@dataclass(frozen=True, slots=True)
class Saved:
    """A machine that waits for its command."""

    ram: Path
    devices: Path
    ram_bytes: int
    """All of the RAM, before the kernel takes its share."""
    available_bytes: int
    """MemAvailable that its init read."""

    def hardware(self, spec: MachineSpec, job: Path) -> Hardware:
        """The machine as it is to be started for being resumed with a job's disk."""
        return _hardware(spec, Memory(self.ram_bytes, self.ram), job)


def ensure(spec: MachineSpec, store: Store, progress: Progress) -> Saved:
    """The saved machine, booted and saved now if there is none.

    Raises:
        EmulatorError: it does not start, or there is no space for its state.
    """

    def build(folder: Path) -> Mapping[str, Any]:
        _require_space(folder, _STATE_BYTES + spec.available_bytes // 32)
        progress(f"starting a {spec.cpu} with {spec.available_bytes >> 20} MiB for the first time")
        return _boot(spec, folder)

    entry = store.ensure(STATES, spec.key(), build, progress)
    store.keep(STATES, _MOST_BYTES)
    return Saved(entry.folder / _RAM, entry.folder / _DEVICES, **entry.facts)


def _require_space(folder: Path, needed: int) -> None:
    """A disk that fills up while QEMU writes its RAM there would kill it without a word."""
    if (free := shutil.disk_usage(folder).free) < needed:
        raise EmulatorError(
            f"A machine's state takes up to {needed >> 20} MiB, and {folder.parent} has {free >> 20} MiB left.",
            "Free some space there, or set XDG_CACHE_HOME to a folder that has it.",
        )


def resume(qemu: Qemu, saved: Saved, deadline: Deadline) -> None:
    """Bring a QEMU that was started with `RESUMING` to where the machine was saved, and let it go on.

    Raises:
        EmulatorError: QEMU does not take the state, or the cache was cleared since `ensure`.
    """
    try:
        file = saved.devices.open("rb")
    except FileNotFoundError as error:
        raise EmulatorError("The saved machine was removed from the cache meanwhile.", "Try again.") from error
    with file:
        _prepare(qemu, file, deadline)
        qemu.ask("migrate-incoming", deadline, uri="fd:state")
        _finish(qemu, deadline)
    qemu.ask("cont", deadline)


def _boot(spec: MachineSpec, folder: Path) -> dict[str, Any]:
    """Boot with a little too much RAM, of which the init fills the surplus; with more where that is too little."""
    ram_bytes, available = ram_for(spec.available_bytes), 0
    for _ in range(_TRIES):
        available = _boot_and_save(spec, ram_bytes, folder)
        if _near(available, spec.available_bytes):
            return {"ram_bytes": ram_bytes, "available_bytes": available}
        ram_bytes += (2 * (spec.available_bytes - available)) // _STEP * _STEP
    raise EmulatorError(
        f"No size of RAM leaves {spec.available_bytes >> 20} MiB available; the nearest left {available >> 20} MiB.",
        "Check `ram` in the device's profile.",
    )


def _boot_and_save(spec: MachineSpec, ram_bytes: int, folder: Path) -> int:
    deadline = Deadline.after(_STARTING)
    ram, devices = folder / _RAM, folder / _DEVICES
    ram.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".empty-", dir=folder.parent) as name:
        job = Path(name) / "job"
        job.touch()
        os.truncate(job, JOB_DISK_BYTES)
        with Qemu(_hardware(spec, Memory(ram_bytes, ram, writable=True), job)) as qemu:
            running = Running(qemu, deadline)
            available = running.ready()
            if _near(available, spec.available_bytes):
                running.start(spec.command)
                running.settle()
                _save(qemu, devices, deadline)
    return available


def _save(qemu: Qemu, devices: Path, deadline: Deadline) -> None:
    with devices.open("wb") as file:
        _prepare(qemu, file, deadline)
        qemu.ask("stop", deadline)
        qemu.ask("migrate", deadline, uri="fd:state")
        _finish(qemu, deadline)
        qemu.ask("quit", deadline)
        qemu.end(deadline)


def _prepare(qemu: Qemu, file: IO[bytes], deadline: Deadline) -> None:
    qemu.ask("qmp_capabilities", deadline)
    qemu.ask("migrate-set-capabilities", deadline, capabilities=[{"capability": "x-ignore-shared", "state": True}])
    qemu.lend("state", file.fileno(), deadline)


def _finish(qemu: Qemu, deadline: Deadline) -> None:
    """Wait for a state to be written or read; QEMU has no call that waits."""
    while not deadline.passed():
        status = qemu.ask("query-migrate", deadline).get("status")
        if status == "completed":
            return
        if status == "failed":
            raise EmulatorError("QEMU could not save or resume the machine.")
        time.sleep(_PAUSE)
    raise EmulatorError("QEMU did not save or resume the machine in time.")


def _hardware(spec: MachineSpec, memory: Memory, job: Path) -> Hardware:
    option = f"edgecheck.available={spec.available_bytes // 1024}"
    return Hardware(spec.image, spec.cpu, memory, spec.disks, {"job": job}, (option,))


def ram_for(available_bytes: int) -> int:
    """RAM that leaves at least so much, and little more.

    Measured with Linux 6.1 from 96 MiB to 18 GiB: the kernel takes 65.5 MiB and 3.2 % of what is available, give or
    take 3 MiB and 0.4 %.
    """
    return int(available_bytes * 1.036 + 70 * (1 << 20)) // _STEP * _STEP


def _near(available: int, wanted: int) -> bool:
    return abs(available - wanted) <= max(_NEAR, wanted // 1000)
