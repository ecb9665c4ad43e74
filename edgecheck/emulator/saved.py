"""A machine saved after its boot, and resumed for each job.

Its RAM is a file that it was started with, and that stays as it is when the machine stops; QEMU saves only what its
devices hold (the capability `x-ignore-shared`, made for this). A machine that resumes maps the file privately: nothing
is read before it is used, machines side by side share what they do not change, and the file stays as it was.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import JOB_DISK_BYTES, Hardware, MachineSpec, Memory
from edgecheck.emulator.qemu import Limit, Patience, Qemu
from edgecheck.emulator.running import Running
from edgecheck.errors import EmulatorError
from edgecheck.store import Entry, Progress

#: QEMU's arguments for a machine that is to be resumed.
RESUMING = ("-incoming", "defer")

_RAM, _DEVICES = "ram", "devices"

#: Of the cache, for all states; one takes about 150 MB.
_MOST_BYTES = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A machine that waits for its command."""

    ram: Path
    devices: Path
    ram_bytes: int
    """All of the RAM, before the kernel takes its share."""
    available_bytes: int
    """MemAvailable that its init read."""

    def hardware(self, spec: MachineSpec, job: Path) -> Hardware:
        """The machine to start QEMU with before it is resumed, with a job's disk."""
        return _hardware(spec, Memory(self.ram_bytes, self.ram), job)


def ensure(spec: MachineSpec, cache: Cache, progress: Progress) -> Saved:
    """The saved machine, booted and saved now if there is none.

    Raises:
        EmulatorError: it does not start, or there is no space for its state.
    """

    def build(folder: Path) -> Mapping[str, Any]:
        _require_space(cache.states.folder, _STATE_BYTES + spec.available_bytes // 32)
        progress(f"starting a {spec.cpu} with {spec.available_bytes >> 20} MiB for the first time")
        return _boot(spec, folder)

    entry = replace(cache.states, reads=_saved).ensure(spec.key(), build, progress)
    cache.states.trim(_MOST_BYTES)
    return _saved(entry)


def _saved(entry: Entry) -> Saved:
    return Saved(ram=entry.folder / _RAM, devices=entry.folder / _DEVICES, **entry.facts)


#: What a state takes, apart from what a larger RAM adds to it.
_STATE_BYTES = 384 << 20


def _require_space(folder: Path, needed: int) -> None:
    """Check ahead: a disk that fills up while QEMU writes its RAM there would kill QEMU without a message."""
    if (free := shutil.disk_usage(folder).free) < needed:
        raise EmulatorError(
            f"A machine's state takes up to {needed >> 20} MiB, and {folder} has {free >> 20} MiB left.",
            "Free some space there, or set XDG_CACHE_HOME to a folder that has it.",
        )


def resume(qemu: Qemu, saved: Saved, deadline: Limit) -> None:
    """Load the saved state into a QEMU that was started with `RESUMING`, and let the machine go on.

    Raises:
        EmulatorError: QEMU does not accept the state, or the cache was cleared since `ensure`.
    """
    try:
        file = saved.devices.open("rb")
    except FileNotFoundError as error:
        raise EmulatorError("The saved machine was removed from the cache in the meantime.", "Try again.") from error
    with file:
        _prepare(qemu, file, deadline)
        qemu.ask("migrate-incoming", deadline, uri="fd:state")
        _finish(qemu, deadline)
    qemu.ask("cont", deadline)


_TRIES = 4

#: Sizes of RAM that QEMU accepts on hosts with large pages, too.
_STEP = 64 << 10


def _boot(spec: MachineSpec, folder: Path) -> dict[str, Any]:
    """Boot with a little too much RAM, whose surplus the init fills; then with more where that was too little."""
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


#: Seconds, apart from those in which QEMU waits for a processor.
_STARTING = 120.0


def _boot_and_save(spec: MachineSpec, ram_bytes: int, folder: Path) -> int:
    """Boot, and save if MemAvailable is near enough; returns MemAvailable."""
    ram, empty_job = folder / _RAM, folder.parent / "job.img"
    ram.unlink(missing_ok=True)
    empty_job.touch()
    os.truncate(empty_job, JOB_DISK_BYTES)
    with Qemu(_hardware(spec, Memory(ram_bytes, ram, writable=True), empty_job)) as qemu:
        deadline = Patience(_STARTING, qemu.pid)
        running = Running(qemu, deadline)
        available = running.ready()
        if _near(available, spec.available_bytes):
            running.start(spec.command)
            running.settle()
            _save(qemu, folder / _DEVICES, deadline)
    return available


def _save(qemu: Qemu, devices: Path, deadline: Limit) -> None:
    with devices.open("wb") as file:
        _prepare(qemu, file, deadline)
        qemu.ask("stop", deadline)
        qemu.ask("migrate", deadline, uri="fd:state")
        _finish(qemu, deadline)
        qemu.ask("quit", deadline)
        qemu.end(deadline)


def _prepare(qemu: Qemu, file: IO[bytes], deadline: Limit) -> None:
    qemu.ask("qmp_capabilities", deadline)
    qemu.ask("migrate-set-capabilities", deadline, capabilities=[{"capability": "x-ignore-shared", "state": True}])
    qemu.lend("state", file.fileno(), deadline)


#: Seconds between two questions whether a state has been read, which takes about 10 ms.
_PAUSE = 0.002


#: What to do where a state cannot be written or read: one in the cache may be damaged.
_AGAIN = "Make it again: edgecheck cache --clear"


def _finish(qemu: Qemu, deadline: Limit) -> None:
    """Wait until a state is written or read; QEMU has no call that waits."""
    while not deadline.passed():
        status = qemu.ask("query-migrate", deadline).get("status")
        if status == "completed":
            return
        if status == "failed":
            raise EmulatorError("QEMU could not save or resume the machine.", _AGAIN)
        time.sleep(_PAUSE)
    raise EmulatorError("QEMU did not save or resume the machine in time.", "Run fewer checks at once: -j 1")


def _hardware(spec: MachineSpec, memory: Memory, job: Path) -> Hardware:
    option = f"edgecheck.available={spec.available_bytes // 1024}"
    return Hardware(
        image=spec.image, cpu=spec.cpu, memory=memory, disks=spec.disks, scratch={"job": job}, options=(option,)
    )


def ram_for(available_bytes: int) -> int:
    """RAM that leaves at least this much available, and little more.

    Measured with Linux 6.1 from 96 MiB to 18 GiB: the kernel takes 65.5 MiB and 3.2 % of what is available, give or
    take 3 MiB and 0.4 %.
    """
    return int(available_bytes * 1.036 + 70 * (1 << 20)) // _STEP * _STEP


#: Bytes of MemAvailable that do not matter.
_NEAR = 512 << 10


def _near(available: int, ordered: int) -> bool:
    return abs(available - ordered) <= max(_NEAR, ordered // 1000)
