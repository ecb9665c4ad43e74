"""A runtime's own profile of a model, called bare: nothing of edgecheck is imported here.

    python bare_profile.py MODEL RUNS SHAPE

Prints the microseconds of each operator as JSON, in the order of execution: the mean of the middle half, for .onnx of
the `dur` of each node in the file that onnxruntime writes, for .tflite of the events that LiteRtGetProfilerEvents
returns. The last inference's events have to be what LiteRtGetProfileSummary prints, TFLite's own table: that table adds
up all inferences, and one in which the process lost its core would spoil its average. SHAPE is that of every input, ""
for the file's.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

#: Inferences that are not counted, at least, and seconds of them.
WARM, WARM_S = 20, 0.06


class Event(ctypes.Structure):
    """LiteRT 2.3's ProfiledEventData: memory at the event's start and end is left out."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_uint32),
        ("start_us", ctypes.c_uint64),
        ("duration_us", ctypes.c_uint64),
        ("others", ctypes.c_byte * 72),
    )


#: `EventType` of TFLite's profiler: an operator, one of a delegate, a delegate's inner one.
OPERATORS = (2, 4, 8)


def main() -> None:
    path, runs, shape = sys.argv[1], int(sys.argv[2]), [int(size) for size in sys.argv[3].split(",") if size]
    profile = onnx if path.endswith(".onnx") else tflite
    print("PROFILE " + json.dumps(profile(path, runs, shape)))


def middle(values: list[float]) -> float:
    """The mean of the middle half, finer than the profilers' grain of a microsecond."""
    cut = len(values) // 4
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


def onnx(path: str, runs: int, shape: list[int]) -> list[tuple[str, float]]:
    import numpy as np
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "bare")
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        random = np.random.default_rng(0)
        feeds = {}
        for one in session.get_inputs():
            sizes = shape or [size if isinstance(size, int) else 1 for size in one.shape]
            feeds[one.name] = random.random(sizes, dtype=np.float32)
        for _ in range(runs + 3):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = [event for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]
    durations: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in nodes:
        durations[event["args"]["node_index"], event["name"]].append(event["dur"])
    return [(name.removesuffix("_kernel_time"), middle(values[3:])) for (_, name), values in durations.items()]


def tflite(path: str, runs: int, _shape: list[int]) -> list[tuple[str, float]]:
    seen, table = LiteRt(path).profiled(runs)
    assert seen[-1] == table, "the events are not those of TFLite's table"
    return [(rows[0][0], middle([float(value) for _, value in rows])) for rows in zip(*seen, strict=True)]


class LiteRt:
    """A model in LiteRT's C library, and what it was compiled with."""

    def __init__(self, path: str) -> None:
        import ai_edge_litert

        self.library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / "libLiteRt.so"))
        self.libc = ctypes.CDLL(None)
        self.libc.strdup.restype = ctypes.c_void_p
        self.environment = self.new("LiteRtCreateEnvironment", 0, None)
        self.model = self.new("LiteRtCreateModelFromFile", self.environment, os.fsencode(path))
        self.signature = self.new("LiteRtGetModelSignature", self.model, ctypes.c_size_t(0))

    def new(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """The handle that a function returns by its last argument."""
        handle = ctypes.c_void_p()
        status = getattr(self.library, name)(*arguments, ctypes.byref(handle))
        assert status == 0, (name, status)
        return handle

    def compiled(self) -> ctypes.c_void_p:
        """Compile the model for one thread, with the profiler on."""
        options = self.new("LiteRtCreateOptions")
        self.library.LiteRtSetOptionsHardwareAccelerators(options, 1)
        for name, text in (
            (b"runtime_options_string", b"enable_profiling = true\n"),
            (b"xnnpack", b"num_threads = 1\n"),
        ):
            copy = ctypes.c_void_p(self.libc.strdup(text))
            opaque = self.new("LiteRtCreateOpaqueOptions", name, copy, self.libc.free)
            self.library.LiteRtAddOpaqueOptions(options, opaque)
        return self.new("LiteRtCreateCompiledModel", self.environment, self.model, options)

    def buffers(self, compiled: ctypes.c_void_p, side: str) -> Any:
        """Buffers for the inputs or outputs of a compiled model."""
        count = ctypes.c_size_t()
        getattr(self.library, f"LiteRtGetNumSignature{side}s")(self.signature, ctypes.byref(count))
        found = (ctypes.c_void_p * count.value)()
        for at in range(count.value):
            index = ctypes.c_size_t(at)
            kind = (ctypes.c_byte * 80)()
            tensor = self.new(f"LiteRtGetSignature{side}TensorByIndex", self.signature, index)
            self.library.LiteRtGetRankedTensorType(tensor, kind)
            needs = self.new(f"LiteRtGetCompiledModel{side}BufferRequirements", compiled, ctypes.c_size_t(0), index)
            made = self.new("LiteRtCreateManagedTensorBufferFromRequirements", self.environment, kind, needs)
            found[at] = made.value
        return found

    def profiled(self, runs: int) -> tuple[list[list[tuple[str, int]]], list[tuple[str, int]]]:
        """Type and microseconds of each operator, by inference, and those in the table of the last inference."""
        compiled = self.compiled()
        profiler = self.new("LiteRtCompiledModelGetProfiler", compiled)
        inputs, outputs = self.buffers(compiled, "Input"), self.buffers(compiled, "Output")
        for buffer in inputs:
            _fill(self.library, ctypes.c_void_p(buffer))
        sides = (ctypes.c_size_t(len(inputs)), inputs, ctypes.c_size_t(len(outputs)), outputs)
        kept: list[Any] = []
        began = time.perf_counter()
        while len(kept) < WARM + runs or time.perf_counter() - began < WARM_S:
            self.library.LiteRtResetProfiler(profiler)
            self.library.LiteRtStartProfiler(profiler)
            assert self.library.LiteRtRunCompiledModel(compiled, ctypes.c_size_t(0), *sides) == 0
            self.library.LiteRtStopProfiler(profiler)
            count = ctypes.c_int()
            self.library.LiteRtGetNumProfilerEvents(profiler, ctypes.byref(count))
            events = (Event * count.value)()
            self.library.LiteRtGetProfilerEvents(profiler, count, events)
            kept.append(events)
        summary = ctypes.c_char_p()
        self.library.LiteRtGetProfileSummary(profiler, compiled, ctypes.byref(summary))
        seen = [
            [(event.tag.decode(), event.duration_us) for event in events if event.kind in OPERATORS]
            for events in kept[-runs:]
        ]
        return seen, _run_order((summary.value or b"").decode())


def _fill(library: ctypes.CDLL, buffer: ctypes.c_void_p) -> None:
    """Random numbers from 0 to 1, as float32."""
    import numpy as np

    size, place = ctypes.c_size_t(), ctypes.c_void_p()
    library.LiteRtGetTensorBufferPackedSize(buffer, ctypes.byref(size))
    content = np.random.default_rng(0).random(size.value // 4, dtype=np.float32).tobytes()
    library.LiteRtLockTensorBuffer(buffer, ctypes.byref(place), 1)
    ctypes.memmove(place, content, len(content))
    library.LiteRtUnlockTensorBuffer(buffer)


def _run_order(summary: str) -> list[tuple[str, int]]:
    """Type and average microseconds of each row of the table `Run Order`."""
    table = summary.split("Run Order")[1].split("Top by", maxsplit=1)[0]
    found = re.findall(r"^\s*(?:Delegate/)?(\S.*?)\s{2,}[\d.]+\s+[\d.]+\s+([\d.]+)\s", table, re.MULTILINE)
    return [(name, round(1000 * float(ms))) for name, ms in found if not name.startswith(("LiteRT::", "[node"))]


if __name__ == "__main__":
    main()
