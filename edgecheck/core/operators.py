"""What each operator of a model takes: the figures of a runtime's profiler, and what the model's file says about it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from edgecheck.core.metrics import INSTRUCTIONS, LATENCY_P50, Provenance

#: Seconds: the grain of the profilers' clocks.
MICROSECOND = 1e-6

#: Seconds of a clock that counts instructions that the system's timer can add to an operator, in which it happens to
#: interrupt: every four million instructions, for up to five thousand (measured: Debian's kernel 6.1, 250 Hz).
INTERRUPT = 6e-6

#: Instructions in a second where the clock counts them.
PER_SECOND = 1e9

#: Branches inside of branches.
_DEEPEST = 64

#: What onnxruntime puts behind the names of operators that it adds: a number that differs from process to process.
_TOKEN = re.compile(r"_token_\d+$")

#: Batches of one process's inferences, and Student's t for a 95 % interval by degrees of freedom.
_BATCHES = 5
_STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
_STUDENT_MANY = 2.6


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOperator:
    """One operator as a profiler saw it in one process."""

    name: str
    """As the runtime names it; empty where it does not."""
    type: str
    provider: str
    """What executed it: an execution provider of onnxruntime, or XNNPACK, a delegate, or the built-in kernels."""
    values: tuple[float, ...]
    """Seconds in each inference, without the operators inside it."""
    calls: int
    """Executions over all inferences."""
    place: int = -1
    """Its index in the runtime's graph, or in its delegate; -1 where the runtime does not say."""
    graph: int = 0
    """The subgraph that it is in."""
    inside: int = -1
    """The position of the operator whose branch, loop or delegate it is in; -1 for none."""
    inputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Type and shape of each."""
    outputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    parameter_bytes: int | None = None
    activation_bytes: int | None = None
    output_bytes: int | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What distinguishes it from others of the same graph, in every process."""
        return self.graph, self.place, self.name, self.type, self.inside


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenProfile:
    """The profile of one process."""

    whole: tuple[float, ...]
    """Seconds of each inference, by the profiler's clock."""
    operators: tuple[SeenOperator, ...]
    """In the order of execution."""
    profiler: str
    """`onnxruntime's own profile`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator: what it takes, and which part of the model it is."""

    name: str
    """The file's name; the runtime's where the file has no such operator, or its type and place."""
    type: str
    provider: str
    alias: str = ""
    """The runtime's name, where that is another."""
    seconds: float
    """Of one inference, without what is inside it; where the clock counts instructions, a billion of them."""
    low: float
    """The ends of a 95 % interval of its mean; equal to `seconds` where the clock counts instructions."""
    high: float
    calls: float = 1.0
    """Executions in one inference: of a loop's body several, of a branch fewer than one."""
    inside: int = -1
    """The position of the operator whose branch, loop or delegate it is in; -1 for none."""
    layer: str = ""
    """The layer of the model's file, as `edgecheck size` names its row; empty where it is not known."""
    parts: tuple[str, ...] = ()
    """The operators of the file that it does the work of, where it is more than one."""
    shape: str = ""
    """Of its first output."""
    macs: int | None = None
    """Multiply-accumulates of one execution; None where no formula is documented for it, or a shape is not known."""
    bytes: int | None = None
    """Bytes that one execution reads and writes: activations, weights and results; None where that is not known."""


#: A remark on a profile that is mostly the profiler's own work.
OF_THE_PROFILER = (
    "The profiler takes more than the inference itself: the shares do not show where the model's time goes."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorProfile:
    """What the operators of one model take on one device."""

    operators: tuple[Operator, ...]
    """In the order of execution."""
    whole: float
    """Seconds of one profiled inference; instructions as in `Operator.seconds`."""
    plain: float | None
    """The same without the profiler; None where only the profile was taken."""
    provenance: Provenance
    """Measured, or emulated: then seconds are billions of instructions."""
    profiler: str
    runtime: str
    """`onnxruntime 1.32.0`."""
    inferences: int
    processes: int
    notes: tuple[str, ...] = ()
    """What to know about it, a sentence each."""

    @property
    def counted(self) -> bool:
        """Whether its figures are instructions."""
        return self.provenance is Provenance.EMULATED

    @property
    def overhead(self) -> float | None:
        """What the profiler adds to one inference; negative where timings differ by more. None if not known."""
        return None if self.plain is None else self.whole - self.plain

    @property
    def is_of_the_profiler(self) -> bool:
        """Whether most of it is the profiler's own work, as in a small model with a loop: `OF_THE_PROFILER` says so."""
        return self.overhead is not None and self.plain is not None and self.overhead > self.plain

    @property
    def remainder(self) -> float:
        """What one inference takes outside of its operators: the runtime's own work between them."""
        return self.whole - math.fsum(operator.seconds for operator in self.operators)

    def share(self, seconds: float) -> float:
        """The part of one inference; 0 of one that took no time."""
        return seconds / self.whole if self.whole > 0 else 0.0

    def show(self, seconds: float) -> str:
        """A person's text for a figure of this profile."""
        if self.counted:
            return INSTRUCTIONS.show(seconds * PER_SECOND)
        return LATENCY_P50.show(seconds)

    def largest(self, count: int) -> tuple[Operator, ...]:
        """Those that take most."""
        return tuple(sorted(self.operators, key=lambda operator: -operator.seconds)[:count])


def is_nested(operators: Sequence[SeenOperator]) -> bool:
    """Whether each operator is inside one before it, or none, and not too deep for those who walk through them."""
    depths: list[int] = []
    for at, one in enumerate(operators):
        if one.inside >= at:
            return False
        depths.append(depths[one.inside] + 1 if one.inside >= 0 else 0)
    return max(depths, default=0) <= _DEEPEST


def seen_operator(given: Mapping[str, Any]) -> SeenOperator:
    """An operator of the `operators` event as a value; times in seconds."""
    return SeenOperator(
        name=_TOKEN.sub("", given["name"]),
        type=given["type"],
        provider=given["provider"],
        values=tuple(value * MICROSECOND for value in given["values_us"]),
        calls=given["calls"],
        place=given.get("place", -1),
        graph=given.get("graph", 0),
        inside=given.get("inside", -1),
        inputs=tuple((kind, tuple(shape)) for kind, shape in given.get("inputs") or ()),
        outputs=tuple((kind, tuple(shape)) for kind, shape in given.get("outputs") or ()),
        parameter_bytes=given.get("parameter_bytes"),
        activation_bytes=given.get("activation_bytes"),
        output_bytes=given.get("output_bytes"),
    )


def summarised(
    seen: Sequence[SeenProfile], *, runtime: str, plain: float | None, provenance: Provenance
) -> OperatorProfile:
    """The profiles of one or several processes as one, without names from the model's file.

    An operator that only some processes executed counts as 0 in the others.
    """
    first = seen[0]
    counted = provenance is Provenance.EMULATED
    operators = tuple(_operator(each, seen, counted=counted) for each in _rows(seen).values())
    return OperatorProfile(
        operators=operators,
        whole=fmean(_middle(profile.whole) for profile in seen) if not counted else _steady(first.whole),
        plain=plain,
        provenance=provenance,
        profiler=first.profiler,
        runtime=runtime,
        inferences=sum(len(profile.whole) for profile in seen),
        processes=len(seen),
    )


def union(seen: Sequence[SeenProfile]) -> tuple[SeenOperator, ...]:
    """The operators in the order of `summarised`."""
    return tuple(next(one for one in each if one is not None) for each in _rows(seen).values())


def _rows(seen: Sequence[SeenProfile]) -> dict[tuple[object, ...], list[SeenOperator | None]]:
    """By identity: the operator in each process; None where it did not execute it.

    Where all processes executed operators of the same types in the same order, the order decides: a runtime may give
    what it adds to a graph other names and indices in each process.
    """
    if len({tuple((one.type, one.graph, one.inside) for one in profile.operators) for profile in seen}) == 1:
        return {(at,): list(each) for at, each in enumerate(zip(*(profile.operators for profile in seen), strict=True))}
    rows: dict[tuple[object, ...], list[SeenOperator | None]] = {}
    for at, profile in enumerate(seen):
        for operator in profile.operators:
            rows.setdefault(operator.identity, [None] * len(seen))[at] = operator
    return rows


def _operator(found: Sequence[SeenOperator | None], seen: Sequence[SeenProfile], *, counted: bool) -> Operator:
    one = next(each for each in found if each is not None)
    each_process = [each.values if each is not None else (0.0,) for each in found]
    if counted:
        seconds = low = high = _steady(each_process[0])
    else:
        seconds, low, high = _interval(each_process)
    runs = sum(len(profile.whole) for profile in seen)
    return Operator(
        name=one.name or f"{one.type} #{one.place}" if one.place >= 0 else one.name or one.type,
        type=one.type,
        provider=one.provider,
        seconds=seconds,
        low=low,
        high=high,
        calls=sum(each.calls for each in found if each is not None) / max(runs, 1),
        inside=one.inside,
        shape=_shown(one.outputs),
        bytes=_moved(one),
    )


def _shown(shapes: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    return " x ".join(map(str, shapes[0][1])) if shapes else ""


def _moved(one: SeenOperator) -> int | None:
    given = (one.activation_bytes, one.parameter_bytes, one.output_bytes)
    return None if all(each is None for each in given) else sum(each or 0 for each in given)


def _steady(values: Sequence[float]) -> float:
    """Where the clock counts instructions: the least, which has the fewest interrupts of the system's timer."""
    return min(values)


def _interval(processes: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The mean, and the ends of a 95 % interval: between processes where there are several, else between batches."""
    means = [_middle(values) for values in processes]
    centre = fmean(means)
    if len(means) == 1:
        values = processes[0]
        size = len(values) // _BATCHES
        means = [_middle(values[at * size : (at + 1) * size]) for at in range(_BATCHES)] if size else list(values)
    if len(means) < 2:  # noqa: PLR2004 - one figure has no spread
        return centre, 0.0, 2 * centre
    factor = _STUDENT.get(len(means) - 1, _STUDENT_MANY)
    # The clock's grain hides differences below it.
    half = max(factor * stdev(means) / math.sqrt(len(means)), MICROSECOND / 2)
    return centre, max(0.0, centre - half), centre + half


def _middle(values: Sequence[float]) -> float:
    """The mean of the middle half: as robust as a median, and finer than the clock's grain."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    return fmean(ordered[cut : len(ordered) - cut])


def named(profile: OperatorProfile, operators: Iterable[Operator], notes: Iterable[str] = ()) -> OperatorProfile:
    """The profile with these operators, and with more notes."""
    return replace(profile, operators=tuple(operators), notes=(*profile.notes, *notes))
