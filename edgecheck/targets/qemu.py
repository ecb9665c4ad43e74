"""An emulated arm64 machine with the profile's core and RAM, resumed from a saved state for each run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edgecheck import bundles
from edgecheck.core.address import EMULATED, Address
from edgecheck.core.device import DeviceProfile
from edgecheck.emulator import build, disks, machine, saved
from edgecheck.emulator.cache import default_cache
from edgecheck.emulator.hardware import MachineSpec, affordable
from edgecheck.emulator.running import Ending, How, Running
from edgecheck.errors import TargetError, UsageError
from edgecheck.scratch import scratch
from edgecheck.targets.interface import START, Workload, agent_folder

#: Bytes of RAM for every machine at least, and for each byte of the model: enough that the kernel reclaims none of it.
#: If that is more than the device has, the fit is tried once more in a machine of the device's size.
LEAST_ROOM = 2**30
ROOM_PER_BYTE = 4

#: The room is a multiple of this, so that models of many sizes share one saved machine.
ROOM_STEP = 2**28

#: The agent's exit codes that say nothing more than its lines do.
_EXPECTED = (0, 2, 70)

#: The runtime's folders in the machine.
PYTHON_PATH = ("/bundle",)


def open_target(address: Address, profile: DeviceProfile) -> QemuTarget:
    """The machine that emulates `profile`.

    Raises:
        UsageError: the profile does not say which core emulates the device.
    """
    if not profile.emulation_cpu:
        raise UsageError(
            f"The profile of {profile.name} does not say which core emulates it.",
            'Add `emulation: {cpu: "cortex-a72"}` to it, or choose another target.',
        )
    return QemuTarget(profile=profile, address=address)


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuTarget:
    """See `Target`."""

    profile: DeviceProfile
    with_room: bool = True
    """Whether the machine may have more memory than the device."""
    address: Address = EMULATED
    has_runtime: bool = False
    emulated: bool = True

    @property
    def tight(self) -> QemuTarget | None:
        """See `Target.tight`."""
        return replace(self, with_room=False) if self.with_room else None

    @contextmanager
    def launch(self, workload: Workload, progress: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`."""
        model_size = sum(path.stat().st_size for path in workload.model)
        spec = self.spec(workload.requirements, model_size, progress, command_for(workload.job))
        state = saved.ensure(spec, default_cache(), progress)
        with scratch() as folder:
            job = _laid_out(workload, folder)
            with machine.run(spec, state, job) as running:
                yield _lines(running)

    def spec(
        self, requirements: Sequence[str], model_size: int, progress: Callable[[str], None], command: Sequence[str] = ()
    ) -> MachineSpec:
        """The machine for a model of `model_size` bytes and the runtime `requirements`; its disks are built.

        It is saved with `command` started in it.

        Raises:
            EmulatorError: it cannot be built here; the hint says what is missing.
            BundleError: no wheels fit the profile's Python.
        """
        cache = default_cache()
        image = build.ensure(progress, python=self.profile.python)
        platform = bundles.DevicePlatform(self.profile.python, "aarch64")
        bundle = bundles.bundle_for(requirements, platform, progress=progress)
        parts = {
            "bundle": disks.bundle(bundle.digest, partial(bundles.unpack, bundle), image, cache, progress),
            "agent": disks.agent(agent_folder(), cache, progress),
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
    """The command that starts the agent, which loads the job's runtime and waits for the rest of the job."""
    said = {name: job[name] for name in ("format", "runtime", "threads") if name in job}
    runtime = said | {"python_path": PYTHON_PATH}
    return ("python3", f"/agent/{START}", "--ready", json.dumps(runtime, sort_keys=True), "-")


def _laid_out(workload: Workload, folder: Path) -> machine.Job:
    """Fill the job's folder, which is /job in the machine. Returns it with the job for the waiting supervisor."""
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
    return machine.Job(folder, json.dumps(job).encode() + b"\n", workload.deadline)


def _lines(running: Running) -> Iterator[bytes]:
    """Yield the agent's lines, then check how the machine ended.

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
