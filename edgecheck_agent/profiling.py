"""The profiling pass: what each operator of a steady inference takes, by the runtime's own profiler.

A profiler slows inference down, so this pass has a process to itself and its figures never decide a latency.
"""

import time
from typing import Any, Dict, List, NamedTuple, Tuple

from edgecheck_agent import events, refusals, timing

# Operators in one event: a line of the protocol has room for them with every name and shape at its longest.
CHUNK = 50

# Figures kept of one profile, operators times inferences: a runtime holds a record of each in memory.
MOST_FIGURES = 30000

# The fewest inferences that show how much a figure varies.
FEWEST = 3

# As many as this are run at once, without opening the model again.
_SEVERAL = 5

# Characters of a name.
LONGEST = 500

# By operator: what distinguishes it from every other of the same inference.
Key = Tuple[Any, ...]


class Step(NamedTuple):
    """One execution of an operator.

    `place` is the index that the runtime gives it in its graph, `graph` that of its subgraph, `inside` the key of the
    operator whose branch or loop it is in, or whose delegate: its time is included in that one's.
    `duration_us` includes what is inside. `facts` are the fields of the event that do not change.
    """

    key: Key
    duration_us: int
    inside: Any
    facts: Dict[str, Any]


class Inference(NamedTuple):
    """One inference by the profiler's own clock."""

    duration_us: int
    steps: List[Step]


class Tally:
    """The figures of several inferences by operator, in the order in which each was first executed."""

    def __init__(self) -> None:
        self.whole: List[int] = []
        self._rows: Dict[Key, Dict[str, Any]] = {}
        self._order: List[Key] = []

    def add(self, inference: Inference) -> None:
        """Count an inference in."""
        at = len(self.whole)
        self.whole.append(inference.duration_us)
        for step in inference.steps:
            row = self._row(step, at)
            row["values_us"][at] += step.duration_us
            row["calls"] += 1
        for step in inference.steps:
            if step.inside is not None and step.inside in self._rows:
                self._rows[step.inside]["values_us"][at] -= step.duration_us
        for row in self._rows.values():
            if len(row["values_us"]) <= at:
                row["values_us"].append(0)
            row["values_us"][at] = max(0, row["values_us"][at])  # by the clock's grain, parts can exceed it

    def _row(self, step: Step, at: int) -> Dict[str, Any]:
        row = self._rows.get(step.key)
        if row is None:
            row = self._rows[step.key] = dict(step.facts, calls=0, values_us=[], inside=step.inside)
            self._order.append(step.key)
        row["values_us"] += [0] * (at + 1 - len(row["values_us"]))
        return row

    def operators(self) -> List[Dict[str, Any]]:
        """The rows as events hold them: `inside` is the position of another row, or null."""
        places = {key: at for at, key in enumerate(self._order)}
        return [dict(self._rows[key], inside=places.get(self._rows[key]["inside"])) for key in self._order]


def profile(turns: timing.Turns, reopen: Any, plan: Dict[str, Any], report: events.Report) -> timing.Turns:
    """Run profiled inferences and send what each operator took.

    Args:
        turns: The model, opened with its profiler on; it has run once.
        reopen: Opens the model again in the same way, where its profiler cannot go on. A runtime keeps its records in
            memory until the end, so the first ones decide how many may follow.
        plan: The job's `profile`.
        report: Where the events go.

    Returns:
        The turns that were used last.

    Raises:
        refusals.Refused: the runtime failed, or its profile is not complete.
    """
    tally = Tally()
    probe = FEWEST if plan["max_count"] > _SEVERAL else plan["max_count"]
    began = time.monotonic()
    for inference in _inferences(turns, plan["warmup_count"], probe, 0.0):
        tally.add(inference)
    each_s = max((time.monotonic() - began) / (probe + plan["warmup_count"]), 1e-6)
    room = MOST_FIGURES // max(len(tally.operators()), 1)
    more = min(plan["max_count"], room, int(plan["max_s"] / each_s))
    if more > probe:
        turns = turns if turns.model.keeps_profiling else reopen()
        tally = Tally()
        for inference in _inferences(turns, plan["warmup_count"] + 1, more, plan["min_s"]):
            tally.add(inference)
    _send(tally, turns.model.profiler, report)
    return turns


def _inferences(turns: timing.Turns, warm: int, count: int, least_s: float) -> List[Inference]:
    """Profiled inferences after `warm` others: `count` of them, or fewer once a third of them fill `least_s`."""
    done = 0
    until = 0.0
    with refusals.translated(turns.advice):
        while done < warm + count:
            if done == warm:
                until = time.monotonic() + least_s
            turns.model.invoke()
            turns.next()
            done += 1
            if least_s and done - warm >= max(FEWEST, count // 3) and time.monotonic() >= until:
                break
    # The first inference after opening is among what the profiler recorded.
    found: List[Inference] = turns.model.profiled()
    return found[-(done - warm) :]


def _send(tally: Tally, profiler: str, report: events.Report) -> None:
    operators = tally.operators()
    for first in range(0, len(operators), CHUNK):
        report.send("operators", first=first, operators=operators[first : first + CHUNK])
    report.send("profile", values_us=tally.whole, count=len(operators), profiler=profiler)


def short(name: str) -> str:
    """A name as events hold it."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
