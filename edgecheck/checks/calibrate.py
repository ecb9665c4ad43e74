"""The story of a calibration: generate networks, time them on the device, count them in its machine, fit constants."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from edgecheck.checks.session import Wanted, time_on
from edgecheck.converters.calibration.layers import NETWORKS
from edgecheck.converters.interface import AS_IS, Request, Task
from edgecheck.converters.process import perform
from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.calibration import FEWEST, Pair, fitted
from edgecheck.core.caveats import throttling
from edgecheck.core.device_match import standing
from edgecheck.core.emulated import instructions
from edgecheck.core.finding import Unmeasured
from edgecheck.core.metrics import METRICS
from edgecheck.core.run import Outcome, Purpose
from edgecheck.core.statistics import percentile
from edgecheck.errors import TargetError, UsageError
from edgecheck.targets import open_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgecheck.core.device import Constant, DeviceProfile
    from edgecheck.core.run import Run
    from edgecheck.targets import Target

FORMAT = "tflite"

#: Steady inferences enough for a median that repeats: two seconds of them, and fifty where they are slow.
EFFORT = Effort(warmup_count=2, warmup_time=0.5, min_count=50, min_time=2.0, max_time=20.0)

_MAKER = "edgecheck.converters.calibration.tflite_networks:make"
_MAKING_S = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """The device and how to reach it."""

    profile: DeviceProfile
    address: str
    effort: Effort = EFFORT


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came of it, by `float` and `int8`."""

    pairs: Mapping[str, tuple[Pair, ...]]
    constants: Mapping[str, Constant]


def calibrate(place: Place, tell: Callable[[str], None], *, networks: Sequence[str] = ()) -> Calibration:
    """Constants for the device at `place`, for one thread and the runtime that its profile pins.

    Args:
        place: Where.
        tell: Is told what happens, a few words at a time.
        networks: Which of the generated networks; all where none is named.

    Raises:
        UsageError: see `ensure_possible`.
        TargetError: the device cannot be reached, is another one, or slowed itself down.
        EmulatorError: the machine cannot be built here.
        ConversionError: the networks cannot be generated here.
    """
    ensure_possible(place, networks)
    device = open_target(place.address, place.profile)
    machine = open_target("qemu", place.profile)
    pairs: dict[str, list[Pair]] = {"float": [], "int8": []}
    runtime = ""
    with _generated(networks, tell) as artifacts:
        for number, artifact in enumerate(artifacts, 1):
            name = f"[{number}/{len(artifacts)}] {artifact.model}"
            timed = _seen(device, artifact, place, lambda words, name=name: tell(f"{name}: {words}"))  # type: ignore[misc]
            counted = _seen(machine, artifact, place, lambda words, name=name: tell(f"{name}, emulated: {words}"))  # type: ignore[misc]
            runtime = timed.runtime.name if timed.runtime else runtime
            pairs[artifact.arithmetic].append(Pair(artifact.model, _latency(timed), _instructions(counted)))
    constants = {kind: fitted(each, runtime) for kind, each in pairs.items() if len(each) >= FEWEST}
    return Calibration({kind: tuple(each) for kind, each in pairs.items()}, constants)


def ensure_possible(place: Place, networks: Sequence[str]) -> None:
    """What can be known before anything is reached.

    Raises:
        UsageError: the profile names no core to emulate or no runtime for `.tflite` files, there are no such networks
            or too few of them, or the address is no device's.
    """
    profile = place.profile
    if not profile.path:
        raise UsageError(
            f"The profile {profile.id} is made on the spot: there is no file to write into.",
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
    if open_target(place.address, profile).emulated:
        raise UsageError(
            f"{place.address!r} has no clock to calibrate: it is emulated.", "Name the device itself: ssh://pi@board"
        )
    _ensure_networks(networks)


def _ensure_networks(networks: Sequence[str]) -> None:
    known = ", ".join(NETWORKS)
    if unknown := [name for name in networks if name not in NETWORKS]:
        raise UsageError(f"There is no network {unknown[0]!r}.", f"There are: {known}.")
    if 0 < len(set(networks)) < FEWEST:
        raise UsageError("One network has no spread.", f"Name two at least, or none for all: {known}.")


@contextmanager
def _generated(networks: Sequence[str], tell: Callable[[str], None]) -> Iterator[tuple[Artifact, ...]]:
    """The networks as files, for as long as they are needed."""
    with tempfile.TemporaryDirectory(prefix="edgecheck-") as name:
        request = Request(model=Path(), source="", format=FORMAT, variant=AS_IS, inputs=dict.fromkeys(networks, ()))
        task = Task(maker=_MAKER, request=request, extra="tflite", doing="generating the networks", makes_model=False)
        folder, _ = perform(task, Path(name), _MAKING_S, tell)
        yield tuple(_artifact(path) for path in sorted(folder.glob(f"*.{FORMAT}")))


def _artifact(path: Path) -> Artifact:
    return Artifact(
        model=path.stem,
        variant=AS_IS,
        format=FORMAT,
        path=path,
        files=(path,),
        size=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        arithmetic=path.stem.rpartition("-")[2],
    )


def _seen(target: Target, artifact: Artifact, place: Place, tell: Callable[[str], None]) -> Run:
    """The run, whole.

    Raises:
        TargetError: it is not, or not the device's.
    """
    run = time_on(target, artifact, _wanted(artifact, place), tell=tell)
    if (stranger := standing(place.profile, run).stranger) and not run.broken:
        raise TargetError(f"It was {stranger}.", "Name the profile of the device that the address leads to.")
    if throttled := throttling(run):
        raise TargetError(
            f"The device slowed itself down: {', '.join(throttled)}.",
            "Cool it, give it its own power supply, try again.",
        )
    endings = [worker.ending for worker in run.workers if worker.ending.outcome is not Outcome.COMPLETED]
    if run.broken or endings or not run.workers:
        why = run.broken or (endings[0].message if endings else "nothing ran")
        raise TargetError(f"{artifact.model} on {target.address}: {why}.", "Calibrate again when that is mended.")
    return run


def _wanted(artifact: Artifact, place: Place) -> Wanted:
    profile = place.profile
    budget = Budget(
        name="calibration",
        path="",
        model=Model(PurePath(artifact.path)),
        variants=(Variant(AS_IS),),
        format=FORMAT,
        samples=None,
        inputs={},
        threads=1,
        effort=place.effort,
        devices=((profile, ()),),
    )
    return Wanted(budget, (), profile.runtimes[FORMAT], profile.ram.available)


def _latency(run: Run) -> float:
    """Seconds: the median of the steady inferences."""
    return percentile(run.of(Purpose.LATENCY)[-1].latencies, 0.5)


def _instructions(run: Run) -> float:
    """Of one inference.

    Raises:
        TargetError: the counts did not settle.
    """
    counted = instructions(METRICS["instructions"], run.of(Purpose.DETERMINISTIC))
    if isinstance(counted, Unmeasured):
        raise TargetError(f"{counted.reason[0].upper()}{counted.reason[1:]}.")
    return counted.value
