"""A sustained run: what of it is judged, and how the device changed in the course of it."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from edgecheck.core import statistics
from edgecheck.core.metrics import LOAD_TIME
from edgecheck.core.run import StateMark, WorkerRun
from edgecheck.core.units import Unit, show

#: Seconds at the end of a sustained run by which it is judged: by then a device without a fan is as hot as it gets.
LAST = 60.0

#: Parts of the run whose medians are shown.
_PARTS = 5


def settled(worker: WorkerRun) -> WorkerRun:
    """The worker with the latencies of its last minute; unchanged where the run was not a sustained one."""
    if not worker.states:
        return worker
    begin = _since(worker, worker.states[-1].at - LAST)
    return replace(worker, latencies=worker.latencies[begin:], waits=worker.waits[begin:])


def _since(worker: WorkerRun, moment: float) -> int:
    """How many inferences had been timed at a moment, by the first reading that is not before it."""
    at = bisect.bisect_left([state.at for state in worker.states], moment)
    return worker.states[min(at, len(worker.states) - 1)].inferences


def judged(worker: WorkerRun) -> str:
    """What the latencies are from, in words: `1,234 inferences in the last 60 s of 300 s`; empty if not sustained."""
    if not worker.states:
        return ""
    total = worker.states[-1].at
    count = len(settled(worker).latencies)
    return f"{count:,} inferences in the last {min(total, LAST):.0f} s of {total:.0f} s"


def in_words(worker: WorkerRun) -> str:
    """Clock, temperature, throttling and latency over time, in a sentence."""
    states = worker.states
    parts = [
        _course("clock", [state.clock for state in states], lambda value: show(value, Unit.HERTZ)),
        _course("temperature", [state.temperature for state in states], lambda value: f"{value:.0f} °C"),
        _throttling(states),
        _latencies(worker),
    ]
    return f"Over {states[-1].at:.0f} s: {'; '.join(part for part in parts if part)}."


def _course(name: str, values: list[float | None], text: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return f"{name} not reported"
    first, last, least, most = (text(value) for value in (known[0], known[-1], min(known), max(known)))
    between = "" if {least, most} <= {first, last} else f", between {least} and {most}"
    return f"{name} {first} at first, {last} at the end{between}"


def _throttling(states: tuple[StateMark, ...]) -> str:
    first = next((state for state in states if state.throttled), None)
    return f"{', '.join(first.throttled)} from {first.at:.0f} s on" if first is not None else ""


def _latencies(worker: WorkerRun) -> str:
    total = worker.states[-1].at
    edges = [_since(worker, total * part / _PARTS) for part in range(_PARTS)] + [len(worker.latencies)]
    parts = [worker.latencies[one:other] for one, other in pairwise(edges)]
    medians = [LOAD_TIME.show(statistics.median(part)) for part in parts if part]
    return f"median latency {', '.join(medians)} in its fifths" if medians else ""
