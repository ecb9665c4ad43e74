"""Runs .tflite files through LiteRT's C library with its profiler on: the Python classes do not offer it.

The library is the one in the package ai-edge-litert (`libLiteRt.so`, symbols of version VERS_1.0, read by ctypes):
https://github.com/google-ai-edge/LiteRT/tree/main/litert/c. It applies XNNPACK as the Python interpreter does.
"""

import ctypes
import importlib
import os
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from edgecheck_agent import refusals, tflite_engine
from edgecheck_agent.profiling import Inference, Step, short

_LIBRARY = "libLiteRt.so"
_OLDEST = (2, 3)  # the first whose calls are known to have these arguments
_CPU = 1  # LiteRtHwAccelerators
_WRITE = 1  # LiteRtTensorBufferLockMode
_STRING = 5  # LiteRtElementType
_TYPE_BYTES = 80  # room for a LiteRtRankedTensorType: type, rank and flags, 8 dimensions, 8 strides
_RANK, _DIMENSIONS, _MOST_DIMENSIONS = 4, 8, 8  # where they are in it
_LAYOUT_BYTES = 68  # LiteRtLayout: the same without the type

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
        self._threads = threads
        self._library = _library(engine.package, version)

    def open(self, path: str, signature: Optional[str] = None) -> "Model":
        """Compile a model from its file; of several signatures, `signature` runs, else the first.

        Raises:
            refusals.Refused: the library does not take it.
        """
        described = self._engine.open(path, signature)
        return Model(_Compiled(self._library, path, self._threads, signature), described.inputs)


def _library(package: str, version: str) -> "_Library":
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    folder = os.path.dirname(os.path.abspath(str(importlib.import_module(package).__file__)))
    path = os.path.join(folder, _LIBRARY)
    if package != tflite_engine.PACKAGES["ai-edge-litert"] or number < _OLDEST or not os.path.exists(path):
        name = {value: key for key, value in tflite_engine.PACKAGES.items()}[package]
        message = "%s %s has no profiler: profile with --runtime ai-edge-litert==2.3.0, or newer" % (name, version)
        raise refusals.Refused("no-profile", message)
    return _Library(path)


class _Library:
    """The calls of the library; each that fails is a RuntimeError with its name."""

    def __init__(self, path: str) -> None:
        self._calls = ctypes.CDLL(path)
        self._c = ctypes.CDLL(None)
        self._c.strdup.restype = ctypes.c_void_p

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a LiteRtStatus."""
        status = getattr(self._calls, name)(*arguments)
        if status:
            raise RuntimeError("%s of LiteRT's C library failed with status %d" % (name, status))

    def new(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """The handle that a function returns by its last argument."""
        handle = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle

    def number(self, name: str, *arguments: Any) -> int:
        """The size that a function returns by its last argument."""
        value = ctypes.c_size_t()
        self.call(name, *arguments, ctypes.byref(value))
        return value.value

    def add_options(self, options: ctypes.c_void_p, name: bytes, text: bytes) -> None:
        """Add options in TOML; the library frees its copy."""
        copy = ctypes.c_void_p(self._c.strdup(text))
        self.call("LiteRtAddOpaqueOptions", options, self.new("LiteRtCreateOpaqueOptions", name, copy, self._c.free))


class _Compiled:
    """A compiled model with its profiler and, once the shapes are known, its buffers."""

    def __init__(self, library: _Library, path: str, threads: int, signature: Optional[str]) -> None:
        self._library = library
        self._chosen = signature
        self._environment = library.new("LiteRtCreateEnvironment", 0, None)
        self._model = library.new("LiteRtCreateModelFromFile", self._environment, os.fsencode(path))
        options = library.new("LiteRtCreateOptions")
        library.call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        library.add_options(options, b"runtime_options_string", b"enable_profiling = true\n")
        library.add_options(options, b"xnnpack", b"num_threads = %d\n" % threads)
        self._compiled = library.new("LiteRtCreateCompiledModel", self._environment, self._model, options)
        self._profiler = library.new("LiteRtCompiledModelGetProfiler", self._compiled)
        self._number = self._signature_number()
        self._signature = library.new("LiteRtGetModelSignature", self._model, self._number)
        self._inputs: Any = ()
        self._outputs: Any = ()

    def _signature_number(self) -> ctypes.c_size_t:
        """The index of the signature to run."""
        for at in range(self._library.number("LiteRtGetNumModelSignatures", self._model)):
            signature = self._library.new("LiteRtGetModelSignature", self._model, ctypes.c_size_t(at))
            name = ctypes.c_char_p()
            self._library.call("LiteRtGetSignatureKey", signature, ctypes.byref(name))
            if self._chosen is None or (name.value or b"").decode("utf-8", "replace") == self._chosen:
                return ctypes.c_size_t(at)
        return ctypes.c_size_t(0)

    def names(self) -> List[str]:
        """The names of the inputs, in the order of the buffers: the signature's if one was chosen, or the tensors'."""
        count = self._library.number("LiteRtGetNumSignatureInputs", self._signature)
        found = []
        for at in range(count):
            name, index = ctypes.c_char_p(), ctypes.c_size_t(at)
            if self._chosen is None:
                tensor = self._library.new("LiteRtGetSignatureInputTensorByIndex", self._signature, index)
                self._library.call("LiteRtGetTensorName", tensor, ctypes.byref(name))
            else:
                self._library.call("LiteRtGetSignatureInputName", self._signature, index, ctypes.byref(name))
            found.append((name.value or b"").decode("utf-8", "replace"))
        return found

    def resize(self, at: int, shape: Tuple[int, ...]) -> None:
        """Set the shape of an input."""
        dims = (ctypes.c_int * len(shape))(*shape)
        arguments = (self._compiled, self._number, ctypes.c_size_t(at), dims, ctypes.c_size_t(len(shape)))
        self._library.call("LiteRtCompiledModelResizeInputTensorNonStrict", *arguments)

    def allocate(self, shapes: List[Tuple[int, ...]]) -> None:
        """Make the buffers; `shapes` are those of the inputs."""
        self._inputs = self._buffers("Input", shapes)
        count = self._library.number("LiteRtGetNumSignatureOutputs", self._signature)
        layouts = (ctypes.c_byte * (_LAYOUT_BYTES * count))()
        arguments = (self._compiled, self._number, ctypes.c_size_t(count), layouts, ctypes.c_bool(1))
        self._library.call("LiteRtGetCompiledModelOutputTensorLayouts", *arguments)
        raw = bytes(layouts)
        self._outputs = self._buffers("Output", [_shape_in(raw, at * _LAYOUT_BYTES) for at in range(count)])

    def _buffers(self, side: str, shapes: List[Tuple[int, ...]]) -> Any:
        buffers = (ctypes.c_void_p * len(shapes))()
        for at, shape in enumerate(shapes):
            index = ctypes.c_size_t(at)
            tensor = self._library.new("LiteRtGetSignature%sTensorByIndex" % side, self._signature, index)
            kind = _ranked(self._library, tensor, shape)
            of_buffer = (self._compiled, self._number, index)
            needs = self._library.new("LiteRtGetCompiledModel%sBufferRequirements" % side, *of_buffer)
            made = self._library.new("LiteRtCreateManagedTensorBufferFromRequirements", self._environment, kind, needs)
            buffers[at] = made.value
        return buffers

    def fill(self, at: int, content: bytes) -> None:
        """Write an input.

        Raises:
            RuntimeError: the buffer has another size.
        """
        buffer = ctypes.c_void_p(self._inputs[at])
        size = self._library.number("LiteRtGetTensorBufferPackedSize", buffer)
        if size != len(content):
            raise RuntimeError(
                "input %d has %d bytes; its buffer in LiteRT's C library has %d" % (at, len(content), size)
            )
        place = ctypes.c_void_p()
        self._library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), _WRITE)
        ctypes.memmove(place, content, len(content))
        self._library.call("LiteRtUnlockTensorBuffer", buffer)

    def run(self) -> Tuple[bytes, int]:
        """Run once. Returns what the profiler saw, which has room for one inference, as `_events` reads it."""
        library, profiler = self._library, self._profiler
        library.call("LiteRtStartProfiler", profiler)
        inputs = (ctypes.c_size_t(len(self._inputs)), self._inputs)
        outputs = (ctypes.c_size_t(len(self._outputs)), self._outputs)
        library.call("LiteRtRunCompiledModel", self._compiled, self._number, *inputs, *outputs)
        library.call("LiteRtStopProfiler", profiler)
        count = ctypes.c_int()
        library.call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(count))
        room = (ctypes.c_byte * (_MOST_EVENT_BYTES * max(count.value, 1)))()
        library.call("LiteRtGetProfilerEvents", profiler, count, room)
        return bytes(room), count.value


def _ranked(library: _Library, tensor: ctypes.c_void_p, shape: Tuple[int, ...]) -> Any:
    """The tensor's LiteRtRankedTensorType with this shape."""
    kind = (ctypes.c_ubyte * _TYPE_BYTES)()
    library.call("LiteRtGetRankedTensorType", tensor, kind)
    if int.from_bytes(bytes(kind[:4]), sys.byteorder) == _STRING:
        raise refusals.Refused("no-profile", "LiteRT's C library, which profiles, does not take text")
    if len(shape) > _MOST_DIMENSIONS:
        raise refusals.Refused("no-profile", "LiteRT's C library takes 8 dimensions at most")
    for at, size in enumerate(shape):
        begin = _DIMENSIONS + 4 * at
        kind[begin : begin + 4] = list(int(size).to_bytes(4, sys.byteorder))
    return kind


def _shape_in(raw: bytes, start: int) -> Tuple[int, ...]:
    """The dimensions in a LiteRtLayout: seven bits of rank, then the sizes."""
    rank = min(raw[start] & 0x7F, _MOST_DIMENSIONS)
    sizes = [start + 4 + 4 * at for at in range(rank)]
    return tuple(int.from_bytes(raw[at : at + 4], sys.byteorder, signed=True) for at in sizes)


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


class Model:
    """A compiled model with the methods of `tflite_engine.Model`."""

    profiler = "LiteRT's own profiler"
    keeps_profiling = True

    def __init__(self, compiled: _Compiled, described: List[Any]) -> None:
        self._compiled = compiled
        self.inputs = described
        names = [one.name for one in described]
        theirs = compiled.names()
        # Two tensors of one name have the order of the graph.
        self._at = {name: theirs.index(name) if theirs.count(name) == 1 else names.index(name) for name in names}
        self._seen: List[Tuple[bytes, int]] = []

    def prepare(self, shapes: Dict[str, Tuple[int, ...]]) -> None:
        """Set the shapes that differ from the file's, and make the buffers."""
        for one in self.inputs:
            if shapes[one.name] != one.default:
                self._compiled.resize(self._at[one.name], shapes[one.name])
        ordered = sorted(self.inputs, key=lambda one: self._at[one.name])
        self._compiled.allocate([shapes[one.name] for one in ordered])

    def feed(self, values: Dict[str, Any]) -> None:
        """Set the values of every input for the next `invoke`."""
        for name, value in values.items():
            self._compiled.fill(self._at[name], np.ascontiguousarray(value).tobytes())

    def invoke(self) -> None:
        """Run once, and keep what the profiler saw: reading it here would leave the next inference a cold cache."""
        self._seen.append(self._compiled.run())

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
