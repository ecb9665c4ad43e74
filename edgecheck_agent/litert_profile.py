"""Runs .tflite files with LiteRT's profiler on, through its C library: the Python classes do not offer it."""

import ctypes
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from edgecheck_agent import inputs, litert_library, refusals
from edgecheck_agent.profiling import Inference, Step, short

# Of an event (litert_profiler_event.h): `EventType` of TFLite's profiler.
_CALL, _OPERATOR, _INNER, _DELEGATED = 1, 2, 4, 8
_TYPES = {1 << bit for bit in range(9)}
_INVOKE = b"Invoke"

# Operators that run subgraphs.
_CONTROL = {b"IF", b"WHILE", b"CALL", b"CALL_ONCE", b"STABLEHLO_WHILE", b"STABLEHLO_CASE", b"STABLEHLO_COMPOSITE"}

# An event's bytes, which depend on how much memory usage a version records at its start and end.
_SIZES = (88, 104, 120)
_MOST_EVENT_BYTES = 128


class _Event(NamedTuple):
    tag: bytes
    kind: int
    start_us: int
    duration_us: int
    place: int
    graph: int


class Engine:
    """Opens models with the profiler on."""

    def __init__(self, engine: Any, version: str, threads: int) -> None:
        """Find the library.

        Raises:
            refusals.Refused: this runtime has no profiler.
        """
        self._engine = engine
        what = "profiler: profile with --runtime ai-edge-litert==2.3.0, or newer"
        self._library = litert_library.library(engine.package, version, "no-profile", what)
        self._setting = litert_library.Setting(
            threads, options=((b"runtime_options_string", b"enable_profiling = true\n"),)
        )

    def open(self, path: str, signature: Optional[str] = None) -> "Model":
        """Compile a model from its file; of several signatures, `signature` runs, else the first.

        Raises:
            refusals.Refused: the library does not take it.
        """
        described = self._engine.open(path, signature)
        return Model(_Profiled(self._library, path, self._setting, signature), described.inputs)


class _Profiled(litert_library.Compiled):
    """A compiled model with its profiler."""

    def __init__(
        self, library: litert_library.Library, path: str, setting: litert_library.Setting, signature: Optional[str]
    ) -> None:
        super().__init__(library, path, setting, signature)
        self._profiler = library.new("LiteRtCompiledModelGetProfiler", self.handle)

    def profiled(self) -> Tuple[bytes, int]:
        """Run once. Returns what the profiler saw, which has room for one inference, as `_events` reads it."""
        library, profiler = self._library, self._profiler
        library.call("LiteRtStartProfiler", profiler)
        self.run()
        library.call("LiteRtStopProfiler", profiler)
        count = ctypes.c_int()
        library.call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(count))
        room = (ctypes.c_byte * (_MOST_EVENT_BYTES * max(count.value, 1)))()
        library.call("LiteRtGetProfilerEvents", profiler, count, room)
        return bytes(room), count.value


def _events(raw: bytes, count: int) -> List[_Event]:
    """The events in an array of ProfiledEventData.

    Raises:
        refusals.Refused: this version of the library lays them out in a way that is not known.
    """
    for size in _SIZES:
        if all(_number(raw, at * size + 8, 4) in _TYPES for at in range(count)) and _is_over(raw, count * size):
            return [_event(raw, at * size, size) for at in range(count)]
    raise refusals.Refused("no-profile", "the profile of this version of LiteRT has another layout: please report it")


def _is_over(raw: bytes, stop: int) -> bool:
    return not any(raw[stop:])


def _event(raw: bytes, start: int, size: int) -> _Event:
    # tag, type, start, duration; memory at both ends; then two numbers and the source, at the end
    ends = start + size - 24
    tag = ctypes.c_char_p(_number(raw, start, 8)).value or b""
    kind, begun, duration = _number(raw, start + 8, 4), _number(raw, start + 16, 8), _number(raw, start + 24, 8)
    return _Event(tag, kind, begun, duration, _number(raw, ends, 8), _number(raw, ends + 8, 8))


def _number(raw: bytes, start: int, size: int) -> int:
    return int.from_bytes(raw[start : start + size], sys.byteorder)


class Model(litert_library.Model):
    """A compiled model with the methods of `tflite_engine.Model`."""

    profiler = "LiteRT's own profiler"
    keeps_profiling = True
    _compiled: _Profiled

    def __init__(self, compiled: _Profiled, described: List[inputs.Input]) -> None:
        super().__init__(compiled, described)
        self._seen: List[Tuple[bytes, int]] = []

    def invoke(self) -> None:
        """Run once, and keep what the profiler saw: reading it here would leave the next inference a cold cache."""
        self._seen.append(self._compiled.profiled())

    def profiled(self) -> List[Inference]:
        """Every inference so far."""
        return [inference(_events(raw, count)) for raw, count in self._seen]


def inference(events: List[_Event]) -> Inference:
    """The events of one inference as steps.

    An operator's subgraph (of IF, WHILE, CALL_ONCE) is inside it, and so is what other delegates than XNNPACK report of
    their work. XNNPACK's operators take the place of the operators that they stand for.

    Raises:
        refusals.Refused: the profiler's room was too small for the model.
    """
    kinds = [event.kind if event.tag == _INVOKE or event.kind != _CALL else 0 for event in events]
    first = next((at for at, kind in enumerate(kinds) if kind in (_CALL, _OPERATOR, _INNER, _DELEGATED)), None)
    if first is None or kinds[first] != _CALL:  # the profiler keeps the last events, and has lost the first
        message = "LiteRT's profiler has no room for this many operators (%d events came)" % len(events)
        raise refusals.Refused("no-profile", message)
    reader = _Reader()
    for event in events:
        reader.hear(event)
    return Inference(events[first].duration_us, reader.steps)


class _Reader:
    """Turns events, in the order in which they began, into steps."""

    def __init__(self) -> None:
        self.steps: List[Step] = []
        self._around: Dict[int, Any] = {}  # by graph: the key of the operator that runs it
        self._open: List[Tuple[int, Any]] = []  # end and key of the operators with subgraphs that are running
        self._part: Dict[int, int] = {}  # by graph: how many partitions were delegated so far
        self._last: Dict[int, int] = {}  # by graph: the place of the last event in the current partition
        self._latest: Any = None  # the key of the last operator that no delegate executed

    def hear(self, event: _Event) -> None:
        """Take the next event."""
        if event.kind == _CALL and event.tag == _INVOKE:
            self._part[event.graph], self._last[event.graph] = 0, -1
            while self._open and self._open[-1][0] < event.start_us:
                self._open.pop()
            self._around[event.graph] = self._open[-1][1] if self._open else None
        elif event.kind == _OPERATOR:
            self._add(event, "", ("node", event.place), self._around.get(event.graph))
            self._latest = self.steps[-1].key
            if event.tag in _CONTROL:
                self._open.append((event.start_us + event.duration_us, self._latest))
        elif event.kind in (_INNER, _DELEGATED):
            if event.place <= self._last.get(event.graph, -1):
                self._part[event.graph] = self._part.get(event.graph, 0) + 1
            self._last[event.graph] = event.place
            inner = self._latest if event.kind == _INNER and self._latest else self._around.get(event.graph)
            provider = "XNNPACK" if event.kind == _DELEGATED else "delegate"
            self._add(event, provider, (self._part.get(event.graph, 0), event.place), inner)

    def _add(self, event: _Event, provider: str, where: Tuple[Any, Any], around: Any) -> None:
        tag = event.tag.decode("utf-8", "replace")
        facts: Dict[str, Any] = {
            "name": "",
            "type": short(tag),
            "provider": provider or "built-in",
            "place": event.place if event.place < 1 << 53 else None,
            "graph": event.graph if event.graph < 1 << 31 else 0,
            "inputs": [],
            "outputs": [],
        }
        self.steps.append(Step((event.graph, where, tag), event.duration_us, around, facts))
