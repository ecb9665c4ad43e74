"""The agent as it is, with real runtimes and real models, in the machine.

Covers `guest/warm.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from edgecheck import bundles
from edgecheck.emulator import disks, machine, saved
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import Image, MachineSpec
from edgecheck.emulator.running import Ending
from edgecheck.targets.interface import START, agent_folder
from examples.real_models import fetch

pytestmark = pytest.mark.emulator

SUPERVISOR = ("python3", f"/agent/{START}", "-")
REQUIREMENTS = ("ai-edge-litert==2.3.0", "onnxruntime==1.32.0")

Event = dict[str, Any]
Emulated = Callable[..., tuple[list[Event], Ending]]


@pytest.fixture(scope="session")
def board(cache: Cache, image: Image) -> MachineSpec:
    """A machine with two runtimes, in which the agent waits for its job."""
    bundle = bundles.bundle_for(REQUIREMENTS, bundles.DevicePlatform("3.11", "aarch64"))
    unpack = functools.partial(bundles.unpack, bundle)
    parts = {
        "bundle": disks.bundle(bundle.digest, unpack, image, cache, print),
        "agent": disks.agent(agent_folder(), cache, print),
    }
    return MachineSpec(image=image, cpu="cortex-a72", available_bytes=1 << 30, disks=parts, command=SUPERVISOR)


@pytest.fixture
def emulated(cache: Cache, tmp_path: Path) -> Emulated:
    """Run the agent's job in a machine."""

    def run(spec: MachineSpec, model: Path, **job: Any) -> tuple[list[Event], Ending]:
        folder = tmp_path / "job"
        folder.mkdir(exist_ok=True)
        shutil.copy(model, folder)
        text = json.dumps(_job(model, model=f"/job/{model.name}", python_path=["/bundle"], **job))
        state = saved.ensure(spec, cache, print)
        with machine.run(spec, state, machine.Job(folder, text.encode() + b"\n", 120)) as running:
            return [json.loads(line) for line in running.lines()], running.ending()

    return run


def _job(path: Path, **more: Any) -> Event:
    return {"protocol": 1, "format": path.suffix[1:], "deadline_s": 100, **more}


def _phases(events: Iterable[Event]) -> dict[str, Event]:
    return {event["phase"]: event for event in events if event["event"] == "phase"}


def _instructions(events: list[Event]) -> float:
    (event,) = (event for event in events if event["event"] == "batches")
    assert event["agreed"]
    return float(event["batches"][-1]["total_ns"] / event["batches"][-1]["count"])


def test_instructions_and_peak_repeat(board: MachineSpec, emulated: Emulated) -> None:
    model = fetch("mtcnn_onet.onnx")
    first, second = (
        emulated(board, model, deterministic={}, memory={"processes": [1, 1], "inferences": 1})[0] for _ in range(2)
    )

    assert _instructions(first) == pytest.approx(_instructions(second), rel=0.001)
    assert _phases(first)["steady"]["hwm"] == pytest.approx(_phases(second)["steady"]["hwm"], rel=0.005)
    assert [event for event in first if event["event"] == "sample"]


def test_a_tiny_model_repeats_too(board: MachineSpec, emulated: Emulated) -> None:
    counts = [_instructions(emulated(board, fetch("hey_jarvis.tflite"), deterministic={})[0]) for _ in range(2)]

    assert 10_000 < counts[0] < 100_000
    assert counts[0] == pytest.approx(counts[1], rel=0.001)


def test_a_model_larger_than_the_machine(board: MachineSpec, emulated: Emulated) -> None:
    small = dataclasses.replace(board, available_bytes=192 << 20)
    events, ending = emulated(small, fetch("light_bvlc_alexnet.onnx"), load={"processes": 1})  # 244 MB of weights

    (end,) = (event for event in events if event["event"] == "end")
    assert end["outcome"] == "killed-for-memory"
    assert end["phase"] == "load"
    assert ending.status == 0
    assert ending.out_of_memory[0] in end["message"]


def test_the_machine_reports_what_it_is(board: MachineSpec, emulated: Emulated) -> None:
    events, _ = emulated(board, fetch("hey_jarvis.tflite"), load={"processes": 1})

    assert events[0]["event"] == "device"
    assert events[0]["machine"] == "aarch64"
    assert events[0]["python"].startswith("3.11.")
    assert events[0]["cpu"]["parts"] == ["0xd08"]  # Arm's number for the Cortex-A72
    assert events[-1] == {"event": "done", "processes": 1}
