"""Calibration: generate networks, time them on the device, count their instructions emulated, fit the constants."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType

from edgecheck.checks.session import Needs, time_on
from edgecheck.converters.calibration.layers import NETWORKS
from edgecheck.converters.interface import AS_IS, Request, Task
from edgecheck.converters.process import perform
from edgecheck.core.address import EMULATED, Address
from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.caveats import throttling
from edgecheck.core.cost_calibration import FEWEST as FEWEST_CHOSEN
from edgecheck.core.cost_calibration import Fit, Timed, calibrated, chosen, usable
from edgecheck.core.counted import Counted
from edgecheck.core.device import Constant, Costs, DeviceProfile
from edgecheck.core.device_match import match
from edgecheck.core.emulated import instructions
from edgecheck.core.finding import Unmeasured
from edgecheck.core.metrics import INSTRUCTIONS
from edgecheck.core.projection import FEWEST, Pair, fitted
from edgecheck.core.run import Outcome, Purpose, Run
from edgecheck.core.statistics import percentile
from edgecheck.emulator import programs
from edgecheck.emulator.counters import cycles
from edgecheck.errors import TargetError, UsageError
from edgecheck.scratch import scratch
from edgecheck.store import sha256_of
from edgecheck.targets import Target, open_target
from edgecheck.targets.shell.cache import probe

#: The formats in which the networks are generated: the function that does, called in a child process, and its extra.
FORMATS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "tflite": ("edgecheck.converters.calibration.tflite_networks:make", "tflite"),
        "onnx": ("edgecheck.converters.calibration.onnx_networks:make", "onnx"),
    }
)

#: Enough steady inferences for a repeatable median: two seconds of them, and fifty where they are slow.
EFFORT = Effort(warmup_count=2, warmup_time=0.5, min_count=50, min_time=2.0, max_time=20.0)


@dataclass(frozen=True, slots=True)
class Board:
    """The device to calibrate."""

    profile: DeviceProfile
    address: Address
    effort: Effort = EFFORT
    """How long each network is timed on it."""
    format: str = "tflite"
    """What the networks are generated as: the costs hold for the runtime of this format."""
    prior: Costs | None = None
    """Costs of the device, or of another with its core; without them only the constants are fitted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which networks are timed."""

    names: tuple[str, ...] = ()
    """Names of generated networks, each in float and int8; where none is named, those that differ most."""
    count: int = FEWEST_CHOSEN
    """How many of those."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration; both mappings are by kind of arithmetic: `float` and `int8`."""

    pairs: Mapping[str, tuple[Pair, ...]]
    constants: Mapping[str, Constant]
    costs: Fit | None = None
    """None where no cache misses were counted, or there was no prior."""


#: Those that differ most.
BEST = Choice()


def calibrate(board: Board, progress: Callable[[str], None], *, choice: Choice = BEST) -> Calibration:
    """The constants and costs of `board`, for one thread and the runtime that its profile pins.

    Args:
        board: The device.
        progress: Called with a few words about each step.
        choice: Which networks to time.

    Raises:
        UsageError: see `ensure_possible`.
        TargetError: the device cannot be reached, is not the profile's, or throttled.
        EmulatorError: the emulated machine cannot be built here.
        ConversionError: the networks cannot be generated here.
    """
    ensure_possible(board, choice.names)
    if not board.address.kind.is_this_machine:  # generating and counting takes minutes: not for a device that is off
        progress(f"asking {board.address.login} what it is")
        probe(str(board.address), progress)
    with generated_networks(choice.names, progress, board.format) as artifacts:
        counted = _counted(artifacts, board, progress)
        _ensure_usable(counted, board.prior)
        wanted = _wanted(counted, board, choice)
        timed = _timed([artifact for artifact in artifacts if artifact.model in wanted], board, progress)
    pairs: dict[str, list[Pair]] = {"float": [], "int8": []}
    for artifact, run in timed:
        pair = Pair(artifact.model, _latency(run), _instructions(artifact.model, counted[artifact.model]))
        pairs[artifact.arithmetic].append(pair)
    runtime = next((run.runtime.name for _, run in timed if run.runtime), "")
    constants = {kind: fitted(each, runtime) for kind, each in pairs.items() if len(each) >= FEWEST}
    networks = [
        Timed(artifact.model, seen, _latency(run))
        for artifact, run in timed
        if (seen := _seen(counted[artifact.model])) is not None
    ]
    complete = len(networks) == len(timed)
    costs = calibrated(networks, board.prior, board.profile.cpu.clock, runtime) if board.prior and complete else None
    return Calibration({kind: tuple(each) for kind, each in pairs.items()}, constants, costs)


def _counted(artifacts: Sequence[Artifact], board: Board, progress: Callable[[str], None]) -> Mapping[str, Run]:
    """A run of each network in the emulated machine, by name."""
    machine = open_target(EMULATED, board.profile)
    runs = {}
    for number, artifact in enumerate(artifacts, 1):
        words = f"[{number}/{len(artifacts)}] {artifact.model}, emulated"
        runs[artifact.model] = _complete_run(machine, artifact, board, _prefixed(words, progress))
    return runs


def _wanted(counted: Mapping[str, Run], board: Board, choice: Choice) -> Container[str]:
    """The networks to time."""
    seen = {name: each for name, run in counted.items() if (each := _seen(run)) is not None}
    if choice.names or board.prior is None or len(seen) < len(counted):
        return counted.keys()
    return chosen(seen, board.prior, board.profile.cpu.clock, choice.count)


def _timed(artifacts: Sequence[Artifact], board: Board, progress: Callable[[str], None]) -> list[tuple[Artifact, Run]]:
    """A run of each network on the device."""
    device = open_target(board.address, board.profile)
    runs = []
    for number, artifact in enumerate(artifacts, 1):
        words = f"[{number}/{len(artifacts)}] {artifact.model}"
        runs.append((artifact, _complete_run(device, artifact, board, _prefixed(words, progress))))
    return runs


def _seen(run: Run) -> Counted | None:
    """What the plugin counted."""
    workers = run.of(Purpose.DETERMINISTIC)
    return workers[-1].counted if workers else None


def _prefixed(prefix: str, progress: Callable[[str], None]) -> Callable[[str], None]:
    return lambda words: progress(f"{prefix}: {words}")


#: Of a line in a profile's `runtimes`.
_EXAMPLES = {"tflite": "tflite: [ai-edge-litert]", "onnx": "onnx: [onnxruntime]"}


def ensure_possible(board: Board, networks: Sequence[str]) -> None:
    """Check everything that can be known before the device is reached.

    Raises:
        UsageError: the profile names no core to emulate or no runtime for the format, a network is unknown, too
            few are named, the address is not a device's, or the costs to start from cannot be used here.
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
    if board.format not in profile.runtimes:
        raise UsageError(
            f"The profile of {profile.name} names no runtime for .{board.format} files, which the networks are.",
            f"Add one to its `runtimes`, such as `{_EXAMPLES[board.format]}`.",
        )
    if open_target(board.address, profile).emulated:
        raise UsageError(
            f"{board.address.text!r} has no clock to calibrate: it is emulated.",
            "Name the device itself: ssh://pi@board",
        )
    _ensure_networks(networks)
    if (
        (prior := board.prior) is not None
        and prior.counted is None
        and (prior.modelled is None or cycles.tools() is None)
    ):
        raise _unusable(prior)


def _ensure_usable(counted: Mapping[str, Run], prior: Costs | None) -> None:
    """Check that the networks were counted as the costs need it, before they are timed; raises as `ensure_possible`."""
    seen = [each for run in counted.values() if (each := _seen(run)) is not None]
    if prior is not None and len(seen) == len(counted) and not usable(seen, prior):
        raise _unusable(prior)


def _unusable(prior: Costs) -> UsageError:
    if prior.modelled is None:
        why = "have neither `counted` nor `modelled`"
        if prior.counted is not None:
            why = "need a count of multiplying instructions, and one network has none"
        return UsageError(
            f"The costs to start from {why}.",
            "Remove `costs` from the profile, so that those of a device with the same core are used.",
        )
    return UsageError(
        f"The costs to start from need the cycles of {prior.model or 'the core'}, which LLVM does not count here.",
        f"Install llvm-mca: {programs.remedy(f'llvm-{cycles.VERSIONS[0]}')}",
    )


def _ensure_networks(networks: Sequence[str]) -> None:
    known = ", ".join(NETWORKS)
    if unknown := [name for name in networks if name not in NETWORKS]:
        raise UsageError(f"Unknown network {unknown[0]!r}.", f"Choose from: {known}.")
    if 0 < len(set(networks)) < FEWEST:
        raise UsageError("One network has no spread.", f"Name at least two, or none for all: {known}.")


#: Seconds for generating the networks.
_GENERATOR_DEADLINE = 300.0


@contextmanager
def generated_networks(
    networks: Sequence[str], progress: Callable[[str], None], form: str = "tflite"
) -> Iterator[tuple[Artifact, ...]]:
    """The networks as files of a format, which exist inside the context."""
    maker, extra = FORMATS[form]
    with scratch() as place:
        request = Request(model=Path(), source="", format=form, variant=AS_IS, inputs=dict.fromkeys(networks, ()))
        task = Task(maker=maker, request=request, extra=extra, doing="generating the networks", makes_model=False)
        folder, _ = perform(task, place, _GENERATOR_DEADLINE, progress)
        yield tuple(_artifact(path) for path in sorted(folder.glob(f"*.{form}")))


def _artifact(path: Path) -> Artifact:
    return Artifact(
        model=path.stem,
        variant=AS_IS,
        format=path.suffix[1:],
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
    if (place := match(board.profile, run).place) and not run.broken:
        raise TargetError(
            f"The networks ran on {place}.", "Name the profile of the device at that address: --profile ID."
        )
    if throttled := (*throttling(run), *filter(None, [run.still_hot])):
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
        format=board.format,
        samples=None,
        inputs={},
        threads=1,
        effort=board.effort,
        devices=((profile, ()),),
    )
    return Needs(
        budget=budget, limits=(), requirements=profile.runtimes[board.format], device_memory=profile.ram.available
    )


def _latency(run: Run) -> float:
    """Seconds: the median of the steady inferences."""
    return percentile(run.of(Purpose.LATENCY)[-1].latencies, 0.5)


def _instructions(network: str, run: Run) -> float:
    """Instructions of one inference of a network.

    Raises:
        TargetError: the counts did not settle.
    """
    counted = instructions(INSTRUCTIONS, run.of(Purpose.DETERMINISTIC))
    if isinstance(counted, Unmeasured):
        raise TargetError(
            f"{network}, emulated: {counted.reason}.",
            "Calibrate again; if it happens again, name the networks to time without this one: --network NAME",
        )
    return counted.value
