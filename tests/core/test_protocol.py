"""Streams of events, bent in every way that their shapes allow: a run or an error of the device's, never of ours.

Covers `events.py` and `device_events.py`.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.core.events import RunReader
from edgecheck.core.finding import Evidence
from edgecheck.core.measurement import measure_all
from edgecheck.core.metrics import Provenance
from edgecheck.core.operator_groups import By
from edgecheck.core.operators import summarised
from edgecheck.core.protocol import EVENTS, LONGEST_LINE, MisfitError, parsed, read_event
from edgecheck.core.run import Run
from edgecheck.errors import TargetError
from edgecheck.reports.profile import FORMATS, ProfileReport, render_profile
from tests.builders import ARTIFACT

#: A short job's, with every kind of event.
STREAM: list[dict[str, Any]] = [
    {
        "event": "device",
        "when": "before",
        "model": "Jetson Orin Nano",
        "machine_id": "f00",
        "system": "Linux",
        "machine": "aarch64",
        "kernel": "5.15.136-tegra",
        "python": "3.10.12",
        "libc": "glibc 2.35",
        "power_mode": "NV Power Mode: 15W\n0",
        "page_size": 4096,
        "cpu": {
            "kind": "arm",
            "count": 2,
            "affinity": [0, 1],
            "names": ["Cortex-A78AE"],
            "implementers": ["0x41"],
            "parts": ["0xd42"],
            "features": ["asimd"],
            "governors": ["schedutil"],
            "clocks": [None, 1e9],
            "highest_clocks": [1.5e9, None],
            "caches": [{"level": 1, "type": "Data", "size": 49152}],
        },
        "memory": {"total": 2**34, "available": 2**33, "swap_used": 0},
        "storage": {"total": 2**40, "free": 2**39},
        "temperatures": {"cpu": 45.5},
        "throttled": {"raw": 0, "flags": []},
        "load_average": [1.5, 1.4, 1.0],
        "pressure": {"at_s": 12.5, "waited_s": 0.5},
        "phone": {
            "android": "14",
            "soc": "Tensor G3",
            "heap": "512m",
            "low_ram": False,
            "battery_saver": False,
            "awake": True,
            "locked": False,
            "emulator": False,
            "thermal_status": 0,
            "battery_c": 31.5,
            "battery_level": 80,
        },
        "jetson": {
            "mode": {"name": "15W", "number": 0},
            "modes": [["15W", 0], ["7W", 1]],
            "clocks": [{"name": "GPU", "least": 3e8, "most": 6.25e8, "now": 6.25e8}],
            "rails": {"VDD_IN": 9.8},
        },
        "accelerators": [
            {
                "provider": "cuda",
                "devices": ["/dev/nvhost-gpu"],
                "libraries": ["/usr/lib/libcudart.so.12"],
                "runtimes": ["CUDAExecutionProvider"],
                "missing": "",
            }
        ],
    },
    {"event": "waiting", "holder": "anna@desk"},
    {"event": "start", "process": 1, "purpose": "latency", "pid": 5895, "available": 2**33},
    {"event": "runtime", "process": 1, "name": "onnxruntime", "version": "1.20.0", "python": "3.11.7", "numpy": "1.26"},
    {"event": "phase", "process": 1, "phase": "runtime-ready", "at_s": 0.2, "rss": 40_000_000, "hwm": 41_000_000},
    {"event": "phase", "process": 1, "phase": "model-loaded", "at_s": 0.3, "rss": 61_000_000, "load_s": 0.03},
    {
        "event": "phase",
        "process": 1,
        "phase": "first-inference",
        "at_s": 0.4,
        "first_s": 0.01,
        "waited_s": 0.001,
        "pss": 50_000_000,
        "uss": 49_000_000,
        "major_faults": 3,
        "swap": 4096,
    },
    {"event": "sample", "process": 1, "source": "/proc", "samples": [[0.1, 39_000_000]], "available": [2**33]},
    {"event": "latencies", "process": 1, "values_ns": [281_060, 160_801, 147_818], "waits_ns": [0, 9, 0]},
    {
        "event": "look",
        "process": 1,
        "n": 3,
        "counts": [
            {
                "id": "latency_p90:error",
                "n": 3,
                "exceedances": 0,
                "block": 1,
                "decision": "",
                "over_s": 0.5,
                "left_out": 1,
            }
        ],
        "over_s": 0.5,
        "contention": {"waited_s": 0.001, "processor_s": 0.4, "switches": 2, "stolen": 0.0, "others": 0.1},
    },
    {"event": "batches", "process": 1, "batches": [{"count": 21, "total_ns": 2_047_464}], "agreed": True},
    {
        "event": "counted",
        "process": 1,
        "inferences": 21,
        "executed": 2_047_464,
        "multiplying": 1_200_000,
        "l1_loads": 50_000,
        "l1_stores": 7_000,
        "l2": [[262_144, 30_000], [524_288, 20_000]],
        "cycles": {"cortex-a57": 1_900_000.5},
    },
    {
        "event": "operators",
        "process": 1,
        "first": 0,
        "operators": [
            {
                "name": "choice",
                "type": "If",
                "provider": "CPUExecutionProvider",
                "values_us": [9, 8],
                "calls": 2,
                "place": 0,
                "inside": None,
            },
            {
                "name": "conv",
                "type": "Conv",
                "provider": "CPUExecutionProvider",
                "values_us": [7, 7],
                "calls": 2,
                "inside": 0,
                "graph": 1,
                "inputs": [["float", [1, 3]]],
                "outputs": [["float", [1, 2]]],
                "activation_bytes": 12,
                "parameter_bytes": 24,
                "output_bytes": 8,
            },
        ],
    },
    {"event": "profile", "process": 1, "values_us": [18, 16], "count": 2, "profiler": "a runtime's"},
    {
        "event": "placement",
        "process": 1,
        "accelerator": "NpuExecutionProvider",
        "taken": 5,
        "total": 6,
        "left": [{"type": "Unique", "name": "/u", "provider": "CPUExecutionProvider", "reason": ""}],
        "proof": "onnxruntime's graph assignment",
    },
    {
        "event": "output",
        "process": 1,
        "sample": 0,
        "name": "y",
        "quantization": [0.5, -3],
        "dtype": "float32",
        "shape": [1],
        "base64": "AACAPw==",
        "piece": 0,
        "pieces": 1,
    },
    {"event": "accelerator-memory", "process": 1, "bytes": 2**28, "source": "nvml", "words": "what it holds by NVML"},
    {"event": "note", "process": 1, "code": "nan-output", "message": "output y holds NaN"},
    {
        "event": "state",
        "process": 1,
        "at_s": 0.0,
        "n": 0,
        "clocks": [None, 1],
        "temperatures": {"cpu": 50.5},
        "throttled": [],
    },
    {
        "event": "end",
        "process": 1,
        "phase": "exit",
        "outcome": "completed",
        "at_s": 1.5,
        "reason": "",
        "message": "",
        "signal": "",
        "stderr_tail": "a warning",
    },
    {"event": "device", "when": "after", "model": None, "cpu": {"clocks": [None]}, "jetson": None},
    {"event": "problem", "code": "agent-fault", "message": "it fell over"},
    {"event": "tomorrow", "process": {}, "anything": [[[]]]},
    {"event": "done", "processes": 1},
]

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 2**63, 0, 1]),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside of a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, each in inside for place in ((*path, key), *places(each, (*path, key)))]


def bend(stream: list[Any], draw: st.DataObject) -> None:
    """Drop, retype, nest, enlarge, repeat or move one value."""
    *way, last = draw.draw(st.sampled_from(places(stream)))
    parent: Any = stream
    for key in way:
        parent = parent[key]
    match draw.draw(st.sampled_from(("drop", "retype", "nest", "enlarge", "repeat", "move"))):
        case "drop":
            del parent[last]
        case "retype":
            parent[last] = draw.draw(ODD)
        case "nest":
            parent[last] = {"a": [parent[last]]}
        case "enlarge":
            parent[last] = parent[last] * 100 if isinstance(parent[last], list | str | int) else [0] * 5000
        case "repeat" if isinstance(parent, list):
            parent.insert(last, deepcopy(parent[last]))
        case "move" if isinstance(parent, list):
            parent.append(parent.pop(last))


def read(stream: list[Any]) -> RunReader:
    reader = RunReader("ssh://pi@board")
    for event in stream:
        reader.hear(json.dumps(event).encode())
    return reader


def heard(stream: list[Any]) -> Run:
    return read(stream).run()


class Asked(dict[str, Any]):
    """An object of the stream that notes which of its fields are asked for, and which of these it has.

    Args:
        value: The object.
        path: Where it is; elements of one list have one path.
        asked: Takes the paths that were asked for.
        had: Takes those of them that were there.
    """

    def __init__(self, value: dict[str, Any], path: str, asked: set[str], had: set[str]) -> None:
        super().__init__({key: noting(each, f"{path}.{key}", asked, had) for key, each in value.items()})
        self._note = (path, asked, had)

    def get(self, key: str, default: Any = None) -> Any:
        """Note an optional field."""
        path, asked, had = self._note
        asked.add(f"{path}.{key}")
        if super().get(key) is not None:
            had.add(f"{path}.{key}")
        return super().get(key, default)


def noting(value: object, path: str, asked: set[str], had: set[str]) -> object:
    """A value of the stream whose objects are `Asked`."""
    if isinstance(value, dict):
        return Asked(value, path, asked, had)
    return [noting(each, f"{path}[]", asked, had) for each in value] if isinstance(value, list) else value


def test_the_stream_has_every_field_that_is_read() -> None:
    """Required fields too: an event without one does not fit."""
    asked: set[str] = set()
    had: set[str] = set()
    for event in STREAM:
        if shape := EVENTS.get(event["event"]):
            shape(noting(event, event["event"], asked, had), "")
    assert asked
    assert sorted(asked - had) == []


def test_the_stream_fits_and_has_every_kind_of_event() -> None:
    assert {event["event"] for event in STREAM} == {*EVENTS, "tomorrow"}
    run = heard(STREAM)
    assert run.workers[0].latencies == (281_060 / 1e9, 160_801 / 1e9, 147_818 / 1e9)
    assert run.before.clocks == (None, 1e9)


def shown(reader: RunReader) -> str:
    """The profile that the stream has, in every format that draws it; empty without one."""
    if not reader.profiles:
        return ""
    profile = summarised(reader.profiles, runtime="", plain=None, provenance=Provenance.MEASURED)
    report = ProfileReport(
        model="net.onnx",
        variant="as-is",
        device="board",
        target="ssh://pi@board",
        threads=1,
        profile=profile,
        by=By.NODE,
        top=20,
        version="0.1",
    )
    return "".join(render_profile(name, report) for name in FORMATS)


def test_a_stream_with_a_profile_is_shown() -> None:
    text = shown(read(STREAM))
    assert "choice" in text
    assert "conv" in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"first": 1}, "operators: some are missing"),
        ({"operators": []}, "profile: not as many operators as it says"),
    ],
)
def test_a_profile_that_is_cut_off_is_not_believed(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(TargetError, match=problem):
        read([event | change if event["event"] == "operators" else event for event in STREAM])


@pytest.mark.parametrize("inside", [0, 1, 2, 4096])
def test_an_operator_is_inside_of_one_before_it(inside: int) -> None:
    stream = deepcopy(STREAM)
    (operators,) = [event for event in stream if event["event"] == "operators"]
    operators["operators"][0]["inside"] = inside
    with pytest.raises(TargetError, match="inside of none before it"):
        read(stream)


def test_operators_that_are_too_deep_inside_are_not_believed() -> None:
    stream = deepcopy(STREAM)
    (operators,) = [event for event in stream if event["event"] == "operators"]
    one = operators["operators"][0]
    operators["operators"] = [one | {"inside": at - 1 if at else None} for at in range(100)]
    (profile,) = [event for event in stream if event["event"] == "profile"]
    profile["count"] = 100
    with pytest.raises(TargetError, match="too deep inside"):
        read(stream)


@settings(deadline=None, max_examples=100)
@given(st.data(), st.integers(1, 3))
def test_a_bent_stream_is_a_run_or_an_error_of_the_device(draw: st.DataObject, times: int) -> None:
    stream = deepcopy(STREAM)
    for _ in range(times):
        if places(stream):
            bend(stream, draw)
    run, message = None, ""
    try:
        reader = read(stream)
        run = reader.run()
        shown(reader)
    except TargetError as error:
        message = error.message
    if run is None:
        assert message.startswith("the device's agent sent an event that does not fit the protocol: ")
        assert message.isprintable()
    else:
        assert measure_all(Evidence(artifact=ARTIFACT, run=run))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"[" * 100_000, "JSON that is nested too deeply"),
        (b'"' + b"x" * LONGEST_LINE + b'"', "a line of over 4 MiB"),
        (b'{"a": NaN}', "a line that is not JSON: '{\"a\": NaN}'"),
        (b"\xff\x1b[31m", "a line that is not JSON: '��[31m'"),
    ],
)
def test_lines_that_are_not_events(line: bytes, problem: str) -> None:
    with pytest.raises(MisfitError) as caught:
        parsed(line)
    assert str(caught.value) == problem


def test_the_time_measured_is_kept_of_a_look_and_of_each_count() -> None:
    count = {"id": "a", "n": 1, "exceedances": 0, "block": 1, "decision": "pass", "over_s": 9.5}
    look = read_event({"event": "look", "process": 1, "n": 1, "over_s": 9.6, "counts": [count]})
    assert (look["over_s"], look["counts"][0]["over_s"]) == (9.6, 9.5)
