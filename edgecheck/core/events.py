"""The agent's JSON lines, read into a `Run` one by one (docs/reference/agent-protocol.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgecheck.core.counted import Counted
from edgecheck.core.device_events import device_state
from edgecheck.core.operators import MICROSECOND, SeenOperator, SeenProfile, is_nested, seen_operator
from edgecheck.core.outputs import SeenOutputs
from edgecheck.core.placement import Placement, SpentTime, spent
from edgecheck.core.protocol import MisfitError, parsed, read_event
from edgecheck.core.run import (
    AcceleratorMemory,
    Activity,
    Contention,
    DeviceState,
    Ending,
    LookCount,
    Note,
    Outcome,
    Phase,
    PhaseMark,
    Purpose,
    Run,
    RuntimeFacts,
    StateMark,
    WorkerRun,
)
from edgecheck.core.samples import Samples
from edgecheck.errors import TargetError

#: The version of the protocol that this reader speaks.
PROTOCOL = 1

#: Of one run: events, workers, notes, and figures of one worker. Beyond these a device only keeps the host busy.
#: Readings of a sustained run, which come every few seconds.
_MOST_STATES, _MOST_OPERATORS = 20_000, 100_000
_MOST_EVENTS, _MOST_WORKERS, _MOST_NOTES, _MOST_FIGURES = 200_000, 100, 1000, 2_000_000


@dataclass(slots=True, kw_only=True)
class _Worker:
    """One worker, while its events arrive."""

    purpose: Purpose
    marks: list[PhaseMark] = field(default_factory=list)
    samples: list[tuple[float, int]] = field(default_factory=list)
    sampler: str = ""
    available: list[tuple[float, int]] = field(default_factory=list)
    load_time: float | None = None
    first_inference: float | None = None
    latencies: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    contention: Contention | None = None
    span: float = 0.0
    counts: dict[str, LookCount] = field(default_factory=dict)
    batches: tuple[tuple[int, int], ...] = ()
    agreed: bool = False
    counted: Counted | None = None
    notes: list[Note] = field(default_factory=list)
    ending: Ending | None = None
    states: list[StateMark] = field(default_factory=list)
    operators: list[SeenOperator] = field(default_factory=list)
    placement: Placement | None = None
    spent: tuple[SpentTime, ...] = ()
    accelerator_memory: AcceleratorMemory | None = None

    def add_available(self, at: float, available: int | None) -> None:
        """Keep the machine's available memory if it is a new minimum."""
        if available is not None and (not self.available or available < self.available[-1][1]):
            self.available.append((at, available))

    def frozen(self, lost: str) -> WorkerRun:
        """The worker as a value; `lost` is its ending's message where no end was reported."""
        ending = self.ending or Ending(outcome=Outcome.KILLED, reason="lost", message=lost)
        return WorkerRun(
            purpose=self.purpose,
            marks=tuple(self.marks),
            samples=tuple(self.samples),
            sampler=self.sampler,
            available=tuple(self.available),
            load_time=self.load_time,
            first_inference=self.first_inference,
            latencies=Samples(self.latencies),
            span=self.span,
            waits=Samples(self.waits) if any(self.waits) else (),
            contention=self.contention,
            counts=tuple(self.counts.values()),
            batches=self.batches,
            agreed=self.agreed,
            counted=self.counted,
            notes=tuple(self.notes),
            ending=ending,
            states=tuple(self.states),
            placement=self.placement,
            spent=self.spent,
            accelerator_memory=self.accelerator_memory,
        )


class RunReader:
    """Collects events in order; `run` is the run so far."""

    def __init__(self, target: str, *, emulated: bool = False) -> None:
        self._target = target
        self._emulated = emulated
        self._workers: dict[int, _Worker] = {}
        self._runtime: RuntimeFacts | None = None
        self._states: dict[str, DeviceState] = {}
        self._notes: list[Note] = []
        self._profiles: list[SeenProfile] = []
        self.outputs = SeenOutputs()
        self._problem = ""
        self._done = False
        self._accelerated = False
        self._events = 0

    def hear(self, line: bytes) -> dict[str, Any]:
        """Take one line, as `feed` takes its event.

        Raises:
            TargetError: as `feed`, or it is not an event.
        """
        try:
            event = parsed(line)
        except MisfitError as misfit:
            raise _does_not_fit(misfit) from misfit
        return self.feed(event)

    def feed(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Take one event and return what is known of it.

        Unknown events and fields are ignored: a newer agent may send more.

        Raises:
            TargetError: the event does not fit the protocol, by itself or after those before it.
        """
        self._events += 1
        try:
            _require(self._events <= _MOST_EVENTS, f"more than {_MOST_EVENTS:,} events")
            known = read_event(event)
            if known:
                _require(not self._done, f"{known['event']}: comes after done")
                _HANDLERS[known["event"]](self, known)
        except MisfitError as misfit:
            raise _does_not_fit(misfit) from misfit
        return known

    @property
    def profiles(self) -> tuple[SeenProfile, ...]:
        """The complete profiles, one for each process of the profiling pass."""
        return tuple(self._profiles)

    @property
    def done(self) -> bool:
        """Whether the agent reported that it is done."""
        return self._done

    def run(self, broken: str = "") -> Run:
        """The run so far; `broken` says why no more events came."""
        broken = self._problem or broken
        return Run(
            target=self._target,
            workers=tuple(worker.frozen(broken or "its end was never reported") for worker in self._workers.values()),
            runtime=self._runtime,
            before=self._states.get("before", DeviceState()),
            after=self._states.get("after", DeviceState()),
            notes=tuple(self._notes),
            broken=broken,
            emulated=self._emulated,
        )

    def _worker(self, event: Mapping[str, Any]) -> _Worker:
        """The worker that the event is about, which has started and not ended."""
        worker = self._workers.get(event["process"])
        if worker is None or worker.ending is not None:
            what = "has not started" if worker is None else "has ended"
            raise MisfitError(f"{event['event']}: process {event['process']} {what}")
        return worker

    def _on_start(self, event: Mapping[str, Any]) -> None:
        _require(event["process"] not in self._workers, f"start: process {event['process']} has started before")
        _require(len(self._workers) < _MOST_WORKERS, f"more than {_MOST_WORKERS} processes")
        worker = self._workers[event["process"]] = _Worker(purpose=Purpose(event["purpose"]))
        worker.add_available(0.0, event.get("available"))

    def _on_device(self, event: Mapping[str, Any]) -> None:
        self._states[event["when"]] = device_state(event)

    def _on_runtime(self, event: Mapping[str, Any]) -> None:
        self._runtime = RuntimeFacts(
            name=event["name"],
            version=event["version"],
            python=event.get("python") or "",
            numpy=event.get("numpy") or "",
        )

    def _on_phase(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        _require(
            Phase(event["phase"]) not in {mark.phase for mark in worker.marks},
            f"phase: {event['phase']} has been reached before",
        )
        worker.marks.append(
            PhaseMark(
                phase=Phase(event["phase"]),
                at=event["at_s"],
                rss=event.get("rss"),
                peak_rss=event.get("hwm"),
                pss=event.get("pss"),
                uss=event.get("uss"),
                major_faults=event.get("major_faults"),
                swap=event.get("swap"),
                waited=event.get("waited_s"),
            )
        )
        worker.load_time = event.get("load_s", worker.load_time)
        worker.first_inference = event.get("first_s", worker.first_inference)

    def _on_sample(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        worker.samples.extend((at, rss) for at, rss in event["samples"])
        for (at, _), available in zip(event["samples"], event.get("available") or (), strict=False):
            worker.add_available(at, available)
        worker.sampler = event.get("source", worker.sampler)
        _require(len(worker.samples) <= _MOST_FIGURES, f"sample: more than {_MOST_FIGURES:,}")

    def _on_latencies(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        worker.latencies.extend(ns / 1e9 for ns in event["values_ns"])
        waits = event.get("waits_ns") or [0] * len(event["values_ns"])
        _require(len(waits) == len(event["values_ns"]), "latencies: not as many waits as latencies")
        worker.waits.extend(ns / 1e9 if ns else 0.0 for ns in waits)  # most are zero, which is one object
        _require(len(worker.latencies) <= _MOST_FIGURES, f"latencies: more than {_MOST_FIGURES:,}")

    def _on_state(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        last = worker.states[-1] if worker.states else None
        _require(event["n"] <= len(worker.latencies), "state: more inferences than latencies")
        _require(last is None or (last.at <= event["at_s"] and last.inferences <= event["n"]), "state: goes back")
        _require(len(worker.states) < _MOST_STATES, f"state: more than {_MOST_STATES:,}")
        worker.states.append(
            StateMark(
                at=event["at_s"],
                inferences=event["n"],
                clock=max((clock for clock in event.get("clocks") or () if clock), default=None),
                temperature=max((event.get("temperatures") or {}).values(), default=None),
                throttled=tuple(event.get("throttled") or ()),
            )
        )

    def _on_look(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        worker.span = max(worker.span, event.get("over_s", 0.0))
        if "contention" in event:
            worker.contention = _contention(event["contention"])
        for count in event["counts"]:
            _require(count["exceedances"] <= count["n"], "look: more exceedances than inferences")
            _require(count["n"] <= len(worker.latencies), "look: more inferences than latencies")
            worker.counts[count["id"]] = LookCount(
                limit=count["id"],
                inferences=count["n"],
                exceedances=count["exceedances"],
                block=count["block"],
                decision=count["decision"] or "",
                seconds=count.get("over_s", 0.0),
                left_out=count.get("left_out", 0),
            )

    def _on_batches(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        worker.batches = tuple((batch["count"], batch["total_ns"]) for batch in event["batches"])
        worker.agreed = event["agreed"]

    def _on_counted(self, event: Mapping[str, Any]) -> None:
        self._worker(event).counted = Counted.of(event)

    def _on_operators(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        _require(event["first"] == len(worker.operators), "operators: some are missing")
        _require(len(worker.operators) < _MOST_OPERATORS, f"operators: more than {_MOST_OPERATORS:,}")
        worker.operators += [seen_operator(each) for each in event["operators"]]

    def _on_profile(self, event: Mapping[str, Any]) -> None:
        worker = self._worker(event)
        runs, count = len(event["values_us"]), len(worker.operators)
        _require(runs > 0, "profile: no inference")
        _require(event["count"] == count, "profile: not as many operators as it says")
        _require(all(len(each.values) == runs for each in worker.operators), "profile: figures are missing")
        _require(is_nested(worker.operators), "profile: an operator is inside of none before it, or too deep inside")
        profile = SeenProfile(
            whole=tuple(value * MICROSECOND for value in event["values_us"]),
            operators=tuple(worker.operators),
            profiler=event["profiler"],
        )
        self._profiles.append(profile)
        if self._accelerated:
            worker.spent = spent(profile)
        worker.operators = []

    def _on_placement(self, event: Mapping[str, Any]) -> None:
        _require(event["taken"] <= event["total"], "placement: more nodes taken than there are")
        self._worker(event).placement = Placement.of(event)
        self._accelerated = True

    def _on_output(self, event: Mapping[str, Any]) -> None:
        self._worker(event)
        self.outputs.add(event)

    def _on_accelerator_memory(self, event: Mapping[str, Any]) -> None:
        self._worker(event).accelerator_memory = AcceleratorMemory(event["bytes"], event["source"], event["words"])

    def _on_note(self, event: Mapping[str, Any]) -> None:
        notes = self._worker(event).notes if "process" in event else self._notes
        _require(len(notes) < _MOST_NOTES, f"note: more than {_MOST_NOTES:,}")
        notes.append(Note(event["code"], event["message"]))

    def _on_problem(self, event: Mapping[str, Any]) -> None:
        self._problem = event["message"]

    def _on_end(self, event: Mapping[str, Any]) -> None:
        self._worker(event).ending = Ending(
            outcome=Outcome(event["outcome"]),
            during=Activity(event["phase"]),
            reason=event.get("reason") or "",
            message=event.get("message") or "",
            signal=event.get("signal") or "",
            stderr=event.get("stderr_tail") or "",
            at=event.get("at_s"),
        )

    def _on_waiting(self, _event: Mapping[str, Any]) -> None:
        """Nothing of it is kept."""

    def _on_done(self, _event: Mapping[str, Any]) -> None:
        self._done = True


def _require(holds: bool, problem: str) -> None:  # noqa: FBT001 - as in `assert`
    if not holds:
        raise MisfitError(problem)


def _does_not_fit(misfit: MisfitError) -> TargetError:
    return TargetError(f"the device's agent sent an event that does not fit the protocol: {misfit}")


def _contention(seen: Mapping[str, Any]) -> Contention:
    return Contention(
        waited=seen["waited_s"],
        processor=seen["processor_s"],
        switches=seen["switches"],
        stolen=seen.get("stolen"),
        others=seen.get("others"),
    )


_HANDLERS = {
    "state": RunReader._on_state,  # noqa: SLF001 - as below
    "start": RunReader._on_start,  # noqa: SLF001 - the table belongs to the class
    "waiting": RunReader._on_waiting,  # noqa: SLF001
    "device": RunReader._on_device,  # noqa: SLF001
    "runtime": RunReader._on_runtime,  # noqa: SLF001
    "phase": RunReader._on_phase,  # noqa: SLF001
    "sample": RunReader._on_sample,  # noqa: SLF001
    "latencies": RunReader._on_latencies,  # noqa: SLF001
    "look": RunReader._on_look,  # noqa: SLF001
    "batches": RunReader._on_batches,  # noqa: SLF001
    "counted": RunReader._on_counted,  # noqa: SLF001
    "operators": RunReader._on_operators,  # noqa: SLF001
    "profile": RunReader._on_profile,  # noqa: SLF001
    "placement": RunReader._on_placement,  # noqa: SLF001
    "output": RunReader._on_output,  # noqa: SLF001
    "accelerator-memory": RunReader._on_accelerator_memory,  # noqa: SLF001
    "note": RunReader._on_note,  # noqa: SLF001
    "problem": RunReader._on_problem,  # noqa: SLF001
    "end": RunReader._on_end,  # noqa: SLF001
    "done": RunReader._on_done,  # noqa: SLF001
}
