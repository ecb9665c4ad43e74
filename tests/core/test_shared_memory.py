"""Where the GPU shares the system's memory, the fall of MemAvailable counts where it is the larger figure.

Covers `measurement.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.core.device import DeviceProfile
from edgecheck.core.events import RunReader
from edgecheck.core.finding import Evidence, Finding, Measurement, Unmeasured
from edgecheck.core.measurement import is_shared, measure
from edgecheck.core.metrics import METRICS
from edgecheck.core.run import DeviceState, Purpose, Run, WorkerRun
from tests.builders import ARTIFACT, MIB, memory_worker, profile, run

JETSON = profile(kind="jetson")
PI = profile(kind="single-board-computer")
NAMED = DeviceState(model="NVIDIA Jetson Nano Developer Kit")

#: The agent's own words on a PC: its worker holds 203 MiB while another process takes 300 MiB, as a GPU's driver does.
STREAM = Path(__file__).parent / "streams" / "memory-with-300-MiB-elsewhere.jsonl"


def recorded() -> Run:
    reader = RunReader("ssh://jet@rack")
    for line in STREAM.read_text(encoding="utf-8").splitlines():
        reader.feed(json.loads(line))
    assert reader.done
    return replace(reader.run(), before=NAMED)


def finding(metric: str, seen: Run, of: DeviceProfile | None = JETSON) -> Finding:
    return measure(METRICS[metric], Evidence(artifact=ARTIFACT, run=seen, profile=of))


def value(metric: str, seen: Run, of: DeviceProfile | None = JETSON) -> Measurement:
    found = finding(metric, seen, of)
    assert isinstance(found, Measurement), found
    return found


def on_jetson(*workers: WorkerRun) -> Run:
    return run(*workers, before=NAMED)


def falling(worker: WorkerRun, *lows: tuple[float, int]) -> WorkerRun:
    return replace(worker, available=tuple((at, mib * MIB) for at, mib in lows))


def test_memory_that_another_process_took_in_a_recorded_run_is_counted() -> None:
    seen = recorded()
    (worker,) = seen.of(Purpose.MEMORY)
    assert worker.available[0][0] == 0.0
    lows = [low for _, low in worker.available]
    assert lows == sorted(set(lows), reverse=True)
    assert worker.peak is not None
    assert worker.peak // MIB == 202
    peak = value("ram_peak", seen)
    assert peak.value == lows[0] - lows[-1]
    assert 500 * MIB < peak.value < 545 * MIB  # 202 + 300, and what else ran there
    assert peak.basis == ("of one process: the fall of MemAvailable, which the GPU shares; 203 MiB of it resident")


def test_the_same_run_on_a_board_whose_gpu_is_not_counted_shows_its_process_alone() -> None:
    seen = replace(recorded(), before=DeviceState(model="Raspberry Pi 4 Model B Rev 1.5"))
    peak = value("ram_peak", seen, PI)
    assert peak.value // MIB == 202
    assert peak.basis == "of one process"


def test_what_the_model_costs_begins_with_the_runtime_ready() -> None:
    seen = recorded()
    (worker,) = seen.of(Purpose.MEMORY)
    ready = worker.marks[1]
    assert ready.rss is not None
    before = [low for at, low in worker.available if at <= ready.at]
    assert value("ram_model", seen).value == before[-1] - worker.available[-1][1]
    assert 480 * MIB < value("ram_model", seen).value < value("ram_peak", seen).value


def test_resident_memory_counts_where_it_is_the_larger() -> None:
    worker = falling(memory_worker(40 * MIB, 60 * MIB), (0.0, 1000), (0.5, 950))
    other = falling(memory_worker(40 * MIB, 61 * MIB), (0.0, 1000), (0.5, 940))
    peak = value("ram_peak", on_jetson(worker, other))
    assert (peak.value, peak.low, peak.high, peak.count) == (61 * MIB, 60 * MIB, 61 * MIB, 2)
    assert peak.basis == "highest of 2 processes: MemAvailable, which the GPU shares, fell by less"


def test_each_process_has_the_larger_of_its_own_two() -> None:
    worker = falling(memory_worker(40 * MIB, 60 * MIB), (0.0, 1000), (0.5, 500))
    other = falling(memory_worker(40 * MIB, 600 * MIB), (0.0, 1000), (0.5, 940))
    peak = value("ram_peak", on_jetson(worker, other))
    assert (peak.value, peak.low) == (600 * MIB, 500 * MIB)
    assert "fell by less" in peak.basis


def test_without_a_kernels_mark_the_fall_decides() -> None:
    blind = replace(memory_worker(40 * MIB, 60 * MIB), marks=(), available=((0.0, 100 * MIB), (0.2, 30 * MIB)))
    peak = value("ram_peak", on_jetson(blind))
    assert peak.value == 70 * MIB
    assert peak.basis == "of one process: the fall of MemAvailable, which the GPU shares"
    assert isinstance(finding("ram_model", on_jetson(blind)), Unmeasured)  # when was the runtime ready?


def test_a_mark_without_figures_leaves_the_fall_from_then_on() -> None:
    worker = falling(memory_worker(40 * MIB, 60 * MIB), (0.0, 100), (0.2, 30))
    bare = replace(worker, marks=tuple(replace(each, rss=None, peak_rss=None) for each in worker.marks))
    assert value("ram_model", on_jetson(bare)).value == 70 * MIB


def test_without_samples_of_available_memory_the_resident_memory_counts() -> None:
    peak = value("ram_peak", on_jetson(memory_worker(40 * MIB, 60 * MIB)))
    assert peak.value == 60 * MIB
    assert "no figure" in _reason(finding("ram_peak", on_jetson(WorkerRun(purpose=Purpose.MEMORY))))


def _reason(found: Finding) -> str:
    assert isinstance(found, Unmeasured)
    return found.reason


def test_other_metrics_are_read_as_everywhere() -> None:
    assert isinstance(finding("latency_p50", on_jetson(memory_worker(1, 1))), Unmeasured)


@pytest.mark.parametrize(
    ("of", "model", "machine", "emulated", "expected"),
    [
        (JETSON, "NVIDIA Jetson Nano Developer Kit", "aarch64", False, True),
        (
            PI,
            "NVIDIA Orin Nano Developer Kit",
            "aarch64",
            False,
            True,
        ),  # another device, whose figures are shown as they are
        (None, "Jetson AGX Orin", "aarch64", False, True),
        (JETSON, "", "aarch64", False, True),  # a container hides its name
        (JETSON, "Raspberry Pi 4 Model B Rev 1.5", "aarch64", False, False),
        (JETSON, "", "x86_64", False, False),  # a PC
        (PI, "", "aarch64", False, False),
        (None, "", "aarch64", False, False),
        (JETSON, "", "aarch64", True, False),  # there is no GPU in an emulated machine
    ],
)
def test_which_devices_are_meant(
    of: DeviceProfile | None,
    model: str,
    machine: str,
    emulated: bool,  # noqa: FBT001
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_shared(of, run(before=DeviceState(model=model, machine=machine), emulated=emulated)) is expected


def test_missing_readings_are_skipped() -> None:
    reader = RunReader("local")
    reader.feed({"event": "start", "process": 1, "purpose": "memory", "available": None})
    samples = [[0.1, 5], [0.2, 6], [0.3, 7]]
    reader.feed({"event": "sample", "process": 1, "source": "/proc", "samples": samples, "available": [None, 90, 95]})
    reader.feed({"event": "sample", "process": 1, "source": "/proc", "samples": [[0.4, 7]], "available": [80]})
    reader.feed({"event": "sample", "process": 1, "source": "/proc", "samples": [[0.5, 8]]})
    (worker,) = reader.run().workers
    assert worker.available == ((0.2, 90), (0.4, 80))
