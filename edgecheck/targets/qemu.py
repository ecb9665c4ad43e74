"""An emulated arm64 machine with the profile's core and RAM, resumed from a saved state for each run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from edgecheck import bundles
from edgecheck.core.address import EMULATED, Address
from edgecheck.core.device import DeviceProfile
from edgecheck.emulator import build, disks, machine, results, saved
from edgecheck.emulator.cache import default_cache
from edgecheck.emulator.counters import counting as counters
from edgecheck.emulator.counters.counting import Counting
from edgecheck.emulator.hardware import Image, MachineSpec, affordable
from edgecheck.emulator.results import Answer, Question
from edgecheck.emulator.running import Ending, How, Running
from edgecheck.errors import EmulatorError, TargetError, UsageError
from edgecheck.scratch import scratch
from edgecheck.targets.interface import START, Workload, agent_folder

#: Bytes of RAM for every machine at least, and for each byte of the model: enough that the kernel reclaims none of it.
#: Every device gets this much first, so that those with the same core share their runs; a model that needs much of it,
#: or of what the device has, is run in a machine of the device's size.
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
    shared: bool = True
    """Whether the machine has the memory that suits the model, and not the device's."""
    address: Address = EMULATED
    has_runtime: bool = False
    emulated: bool = True

    @property
    def tight(self) -> QemuTarget | None:
        """See `Target.tight`."""
        return replace(self, shared=False) if self.shared else None

    @contextmanager
    def launch(self, workload: Workload, progress: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`. A run that would repeat an earlier one yields what that one reported."""
        cache = default_cache()
        parts = self._parts(workload.requirements, progress)
        memory = self._memory(sum(path.stat().st_size for path in workload.model))
        counting, uncounted = self._counting(workload, progress)
        if counting is not None:
            workload = replace(workload, job=counting.job(workload.job))
        key = self._question(workload, parts, memory, counting).key()
        notes = [*self._notes(parts.image), *uncounted]
        with cache.results.locked(key, progress):
            reuse = workload.reuse
            kept = results.find(cache, key, reuse.began if reuse.fresh else 0.0)
            if kept is not None:
                yield iter([*notes, *_dated(kept, reuse.began), *kept.lines])
                return
            lines: list[bytes] = []
            with self._measured(workload, parts, memory, counting, progress) as coming:
                yield chain(notes, results.heard(coming, lines))
            results.keep(cache, key, lines)
        results.trim(cache)

    @contextmanager
    def _measured(
        self,
        workload: Workload,
        parts: Parts,
        memory: int,
        counting: Counting | None,
        progress: Callable[[str], None],
    ) -> Iterator[Iterator[bytes]]:
        """Run the workload in a machine."""
        spec = self._spec(parts, memory, progress, command_for(workload.job))
        state = saved.ensure(spec, default_cache(), progress)
        with scratch() as folder, scratch() as counts:
            out = counts / "counted"
            job = _laid_out(workload, folder)
            if counting is not None:
                job = replace(job, plugin=counting.arguments(out))
            with machine.run(spec, state, job) as running:
                lines = _lines(running)
                yield lines if counting is None else counting.followed(lines, out)

    def _counting(
        self, workload: Workload, progress: Callable[[str], None]
    ) -> tuple[Counting | None, tuple[bytes, ...]]:
        """What counts cache misses besides instructions; or a note on why nothing does.

        A profile shows no such counts.
        """
        if workload.job.get("deterministic") is None or workload.job.get("profile") is not None:
            return None, ()
        try:
            return counters.ensure(self.profile.emulation_cpu, default_cache(), progress), ()
        except EmulatorError as error:
            if self.profile.projection.costs is None:
                return None, ()
            reason = f"{error.message.rstrip('.')}; to count them: {error.hint}" if error.hint else error.message
            return None, (results.note("no-counts", f"cache misses are not counted: {reason}"),)

    def spec(
        self, requirements: Sequence[str], model_size: int, progress: Callable[[str], None], command: Sequence[str] = ()
    ) -> MachineSpec:
        """The machine for a model of `model_size` bytes and the runtime `requirements`; its disks are built.

        It is saved with `command` started in it.

        Raises:
            EmulatorError: it cannot be built here; the hint says what is missing.
            BundleError: no wheels fit the machine's Python.
        """
        return self._spec(self._parts(requirements, progress), self._memory(model_size), progress, command)

    def _parts(self, requirements: Sequence[str], progress: Callable[[str], None]) -> Parts:
        """The system, and wheels for its Python, whatever the host's is; side by side. Raises as `spec`."""
        platform = bundles.DevicePlatform(build.python_of(self.profile.python), "aarch64")
        with ThreadPoolExecutor(1) as pool:
            image = pool.submit(build.ensure, progress, python=self.profile.python)
            bundle = bundles.bundle_for(requirements, platform, progress=progress)
            return Parts(image.result(), bundle)

    def _spec(self, parts: Parts, memory: int, progress: Callable[[str], None], command: Sequence[str]) -> MachineSpec:
        cache = default_cache()
        unpack = partial(bundles.unpack, parts.bundle)
        return MachineSpec(
            image=parts.image,
            cpu=self.profile.emulation_cpu,
            available_bytes=memory,
            disks={
                "bundle": disks.bundle(parts.bundle.digest, unpack, parts.image, cache, progress),
                "agent": disks.agent(agent_folder(), cache, progress),
            },
            command=tuple(command),
        )

    def _question(self, workload: Workload, parts: Parts, memory: int, counting: Counting | None) -> Question:
        return Question(
            image=parts.image,
            bundle=parts.bundle.digest,
            agent=disks.agent_content(agent_folder()),
            cpu=self.profile.emulation_cpu,
            available_bytes=memory,
            job=workload.job,
            model=workload.model,
            samples=workload.samples,
            counting=counting.identity if counting is not None else "",
        )

    def _memory(self, model_size: int) -> int:
        if not self.shared:
            return affordable(self.profile.ram.available)
        return affordable(-(-(LEAST_ROOM + ROOM_PER_BYTE * model_size) // ROOM_STEP) * ROOM_STEP)

    def _notes(self, image: Image) -> Iterator[bytes]:
        """Where the machine is not what the profile or the lock says."""
        if image.python != self.profile.python:
            yield results.note(
                "other-python",
                f"The emulated machine has Python {image.python}; the profile of {self.profile.name} says "
                f"{self.profile.python}",
            )
        for sentence in image.replaced:
            yield results.note("newer-package", sentence)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a machine is built from: its system, and the runtime for its Python."""

    image: Image
    bundle: bundles.Bundle


def _dated(kept: Answer, began: float) -> Iterator[bytes]:
    """A note for a result of an earlier invocation."""
    if kept.measured < began:
        yield results.note(
            "measured-earlier",
            f"Measured on {results.when(kept.measured)}; nothing that decides the result has changed since",
        )


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
