"""Calibration: generate networks, time them on the device, count their instructions emulated, fit the constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from edgecheck.checks.session import Needs, time_on
from edgecheck.converters.calibration.layers import NETWORKS
from edgecheck.converters.interface import AS_IS, Request, Task
from edgecheck.converters.process import perform
from edgecheck.core.address import EMULATED, Address
from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.caveats import throttling
from edgecheck.core.device import Constant, DeviceProfile
from edgecheck.core.device_match import MEASURED_ON, match
from edgecheck.core.emulated import instructions
from edgecheck.core.finding import Unmeasured
from edgecheck.core.metrics import INSTRUCTIONS
from edgecheck.core.projection import FEWEST, Pair, fitted
from edgecheck.core.run import Outcome, Purpose, Run
from edgecheck.core.statistics import percentile
from edgecheck.errors import TargetError, UsageError
from edgecheck.scratch import scratch
from edgecheck.store import sha256_of
from edgecheck.targets import Target, open_target

#: The artifact format of the generated networks.
FORMAT = "tflite"

#: Enough steady inferences for a repeatable median: two seconds of them, and fifty where they are slow.
EFFORT = Effort(warmup_count=2, warmup_time=0.5, min_count=50, min_time=2.0, max_time=20.0)


@dataclass(frozen=True, slots=True)
class Board:
    """The device to calibrate."""

    profile: DeviceProfile
    address: Address
    effort: Effort = EFFORT
    """How long each network is timed on it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration; both mappings are by kind of arithmetic: `float` and `int8`."""

    pairs: Mapping[str, tuple[Pair, ...]]
    constants: Mapping[str, Constant]


def calibrate(board: Board, progress: Callable[[str], None], *, networks: Sequence[str] = ()) -> Calibration:
    """The constants of `board`, for one thread and the runtime that its profile pins.

    Args:
        board: The device.
        progress: Called with a few words about each step.
        networks: Names of generated networks; all where none is named.

    Raises:
        UsageError: see `ensure_possible`.
        TargetError: the device cannot be reached, is not the profile's, or throttled.
        EmulatorError: the emulated machine cannot be built here.
        ConversionError: the networks cannot be generated here.
    """
    ensure_possible(board, networks)
    device = open_target(board.address, board.profile)
    machine = open_target(EMULATED, board.profile)
    pairs: dict[str, list[Pair]] = {"float": [], "int8": []}
    runtime = ""
    with generated_networks(networks, progress) as artifacts:
        for number, artifact in enumerate(artifacts, 1):
            name = f"[{number}/{len(artifacts)}] {artifact.model}"
            timed = _complete_run(device, artifact, board, _prefixed(name, progress))
            counted = _complete_run(machine, artifact, board, _prefixed(f"{name}, emulated", progress))
            runtime = timed.runtime.name if timed.runtime else runtime
            pairs[artifact.arithmetic].append(Pair(artifact.model, _latency(timed), _instructions(counted)))
    constants = {kind: fitted(each, runtime) for kind, each in pairs.items() if len(each) >= FEWEST}
    return Calibration({kind: tuple(each) for kind, each in pairs.items()}, constants)


def _prefixed(prefix: str, progress: Callable[[str], None]) -> Callable[[str], None]:
    return lambda words: progress(f"{prefix}: {words}")


def ensure_possible(board: Board, networks: Sequence[str]) -> None:
    """Check everything that can be known before the device is reached.

    Raises:
        UsageError: the profile names no core to emulate or no runtime for `.tflite` files, a network is unknown, too
            few are named, or the address is not a device's.
    """
    profile = board.profile
    if not profile.path:
        raise UsageError(
            f"The profile {profile.id} is generated: there is no file to write into.",
            "Make one: edgecheck devices probe ssh://USER@HOST > device_profiles/my-board.yaml",
        )
    if not profile.emulation_cpu:
        raise UsageError(
            f"The profile of {profile.name} does not say which core emulates it.",
            'Add `emulation: {cpu: "cortex-a72"}` to it: instructions are counted on that core.',
        )
    if FORMAT not in profile.runtimes:
        raise UsageError(
            f"The profile of {profile.name} names no runtime for .tflite files, which the networks are.",
            "Add one to its `runtimes`, such as `tflite: [ai-edge-litert]`.",
        )
    if open_target(board.address, profile).emulated:
        raise UsageError(
            f"{board.address.text!r} has no clock to calibrate: it is emulated.",
            "Name the device itself: ssh://pi@board",
        )
    _ensure_networks(networks)


def _ensure_networks(networks: Sequence[str]) -> None:
    known = ", ".join(NETWORKS)
    if unknown := [name for name in networks if name not in NETWORKS]:
        raise UsageError(f"Unknown network {unknown[0]!r}.", f"Choose from: {known}.")
    if 0 < len(set(networks)) < FEWEST:
        raise UsageError("One network has no spread.", f"Name at least two, or none for all: {known}.")


#: The function that generates the networks, called in a child process, and its deadline in seconds.
_GENERATOR = "edgecheck.converters.calibration.tflite_networks:make"
_GENERATOR_DEADLINE = 300.0


@contextmanager
def generated_networks(networks: Sequence[str], progress: Callable[[str], None]) -> Iterator[tuple[Artifact, ...]]:
    """The networks as files, which exist inside the context."""
    with scratch() as place:
        request = Request(model=Path(), source="", format=FORMAT, variant=AS_IS, inputs=dict.fromkeys(networks, ()))
        task = Task(
            maker=_GENERATOR, request=request, extra="tflite", doing="generating the networks", makes_model=False
        )
        folder, _ = perform(task, place, _GENERATOR_DEADLINE, progress)
        yield tuple(_artifact(path) for path in sorted(folder.glob(f"*.{FORMAT}")))


def _artifact(path: Path) -> Artifact:
    return Artifact(
        model=path.stem,
        variant=AS_IS,
        format=FORMAT,
        path=path,
        files=(path,),
        size=path.stat().st_size,
        sha256=sha256_of(path),
        arithmetic=path.stem.rpartition("-")[2],
    )


def _complete_run(target: Target, artifact: Artifact, board: Board, progress: Callable[[str], None]) -> Run:
    """A run in which every worker completed.

    Raises:
        TargetError: a worker did not complete, the device throttled, or it is not the profile's.
    """
    run = time_on(target, artifact, _needs(artifact, board), progress=progress)
    if (mismatch := match(board.profile, run).mismatch) and not run.broken:
        ran = mismatch.replace(MEASURED_ON, "ran on ", 1)
        raise TargetError(f"It {ran}.", "Name the profile of the device at that address: --profile ID.")
    if throttled := throttling(run):
        raise TargetError(
            f"The device throttled: {', '.join(throttled)}.",
            "Cool it, give it a separate power supply, and try again.",
        )
    endings = [worker.ending for worker in run.workers if worker.ending.outcome is not Outcome.COMPLETED]
    if run.broken or endings or not run.workers:
        why = run.broken or (endings[0].message if endings else "nothing ran")
        raise TargetError(f"{artifact.model} on {target.address}: {why}.", "Calibrate again when that is fixed.")
    return run


def _needs(artifact: Artifact, board: Board) -> Needs:
    profile = board.profile
    budget = Budget(
        name="calibration",
        path="",
        model=Model(PurePath(artifact.path)),
        variants=(Variant(AS_IS),),
        format=FORMAT,
        samples=None,
        inputs={},
        threads=1,
        effort=board.effort,
        devices=((profile, ()),),
    )
    return Needs(budget=budget, limits=(), requirements=profile.runtimes[FORMAT], device_memory=profile.ram.available)


def _latency(run: Run) -> float:
    """Seconds: the median of the steady inferences."""
    return percentile(run.of(Purpose.LATENCY)[-1].latencies, 0.5)


def _instructions(run: Run) -> float:
    """Instructions of one inference.

    Raises:
        TargetError: the counts did not settle.
    """
    counted = instructions(INSTRUCTIONS, run.of(Purpose.DETERMINISTIC))
    if isinstance(counted, Unmeasured):
        raise TargetError(f"{counted.reason[0].upper()}{counted.reason[1:]}.")
    return counted.value
