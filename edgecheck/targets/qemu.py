"""An emulated arm64 machine with the profile's core and RAM, resumed from a saved state for each run."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck import agent, bundles
from edgecheck.emulator import build, disks, machine, saved
from edgecheck.emulator.cache import default_cache
from edgecheck.emulator.hardware import MachineSpec, affordable
from edgecheck.emulator.running import How
from edgecheck.errors import TargetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgecheck.core.device import DeviceProfile
    from edgecheck.emulator.running import Ending, Running
    from edgecheck.targets.interface import Workload

#: Bytes that every machine is given at least, and for each byte of the model: enough that the kernel takes nothing of
#: it back. Where that is more than the device has, the fit is tried once more in a machine of its own size.
LEAST_ROOM = 2**30
ROOM_PER_BYTE = 4

#: The room is rounded up to whole steps, so that models of many sizes share one saved machine.
ROOM_STEP = 2**28

#: Seconds for a job that does not say (docs/reference/agent-protocol.md).
DEADLINE = 600.0

#: The agent's exit codes that say nothing more than its lines do.
_EXPECTED = (0, 2, 70)

#: Where the runtime is in the machine.
PYTHON_PATH = ("/bundle",)


def open_target(address: str, profile: DeviceProfile) -> QemuTarget:
    """The machine that emulates `profile`.

    Raises:
        UsageError: the profile says no core to emulate, or this is no address of an emulated machine.
    """
    if address != "qemu":
        raise UsageError(f"{address!r} is no address of an emulated machine.", "It is written `qemu`.")
    if not profile.emulation_cpu:
        raise UsageError(
            f"The profile of {profile.name} does not say which core emulates it.",
            'Add `emulation: {cpu: "cortex-a72"}` to it, or choose another target.',
        )
    return QemuTarget(profile)


@dataclass(frozen=True, slots=True)
class QemuTarget:
    """See `Target`."""

    profile: DeviceProfile
    with_room: bool = True
    """Whether the machine may have more memory than the device."""
    address: str = "qemu"
    has_runtime: bool = False
    emulated: bool = True

    @property
    def tight(self) -> QemuTarget | None:
        """See `Target.tight`."""
        return replace(self, with_room=False) if self.with_room else None

    @contextmanager
    def launch(self, workload: Workload, tell: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`."""
        model_size = sum(path.stat().st_size for path in workload.model)
        spec = self.spec(workload.requirements, model_size, tell, command_for(workload.job))
        state = saved.ensure(spec, default_cache(), tell)
        with tempfile.TemporaryDirectory(prefix="edgecheck-") as name:
            job = _laid_out(workload, Path(name))
            with machine.run(spec, state, job) as running:
                yield _lines(running)

    def spec(
        self, requirements: Sequence[str], model_size: int, tell: Callable[[str], None], command: Sequence[str] = ()
    ) -> MachineSpec:
        """The machine for a model of `model_size` bytes with the runtime `requirements`, its disks built.

        It is saved with `command` started in it.

        Raises:
            EmulatorError: it cannot be built here; the hint says what is missing.
            BundleError: no wheels fit the profile's Python.
        """
        cache = default_cache()
        image = build.ensure(tell, python=self.profile.python)
        platform = bundles.DevicePlatform(self.profile.python, "aarch64")
        bundle = bundles.bundle_for(requirements, platform, progress=tell)
        parts = {
            "bundle": disks.bundle(bundle.digest, partial(bundles.unpack, bundle), image, cache, tell),
            "agent": disks.agent(Path(agent.__file__).parent, cache, tell),
        }
        return MachineSpec(
            image=image,
            cpu=self.profile.emulation_cpu,
            available_bytes=self._memory(model_size),
            disks=parts,
            command=tuple(command),
        )

    def _memory(self, model_size: int) -> int:
        own = self.profile.ram.available
        if not self.with_room:
            return affordable(own)
        room = -(-(LEAST_ROOM + ROOM_PER_BYTE * model_size) // ROOM_STEP) * ROOM_STEP
        return affordable(max(own, room))


def command_for(job: Mapping[str, object]) -> tuple[str, ...]:
    """The agent, which has loaded the job's runtime and waits for the rest of the job."""
    said = {name: job[name] for name in ("format", "runtime", "threads") if name in job}
    runtime = said | {"python_path": PYTHON_PATH}
    return ("python3", "/agent/supervisor.py", "--ready", json.dumps(runtime, sort_keys=True), "-")


def _laid_out(workload: Workload, folder: Path) -> machine.Job:
    """The job's folder, which is /job in the machine, and what the waiting supervisor is told."""
    for number, path in enumerate((*workload.model, *([workload.samples] if workload.samples else []))):
        place = folder / (path.name if number else f"model{path.suffix}")
        place.write_bytes(path.read_bytes())
    job = {
        **workload.job,
        "model": f"/job/model{workload.model[0].suffix}",
        "samples": f"/job/{workload.samples.name}" if workload.samples else None,
        "python_path": PYTHON_PATH,
        "lock": None,
        "watch_stdin": False,
    }
    seconds = float(str(workload.job.get("deadline_s", DEADLINE)))
    return machine.Job(folder, json.dumps(job).encode() + b"\n", seconds)


def _lines(running: Running) -> Iterator[bytes]:
    """The agent's lines, then the machine's end.

    Raises:
        TargetError: the machine ended before the agent did.
    """
    for line in running.lines():
        yield line.encode() + b"\n"
    ending = running.ending()
    if ending.how is not How.FINISHED or ending.status not in _EXPECTED:
        raise TargetError(_why(ending))


def _why(ending: Ending) -> str:
    if ending.how is How.FINISHED:
        said = ending.errors.strip().splitlines()[-1:] or [f"exit status {ending.status}"]
        return f"the agent in the emulated machine failed: {said[0]}"
    return f"the emulated machine ended before its agent did: {ending.reason.rstrip('.')}"
