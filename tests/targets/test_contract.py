"""What every target does alike: one body of tests, run over each.

Covers `interface.py`, `local.py`, `qemu.py`, `adb/opener.py`.
"""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from edgecheck.core.address import parse
from edgecheck.emulator import programs
from edgecheck.targets import Target, Workload, open_target
from tests.builders import profile
from tests.targets.workloads import (
    LONG,
    ONE_PROCESS,
    QUICK,
    RUNTIME,
    comes_true,
    events,
    silent,
    until,
    with_weights_beside,
    workload,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.phone import Phone
    from tests.targets.sshd import Board

    Work = Callable[..., Workload]

#: What a shell, an option parser or a terminal could stumble over, all in one.
ODD = "-rf it's \"a\" $(touch pwned);`touch pwned`\ntwo lines é a'b\\"


@pytest.fixture(
    params=[
        "local",
        pytest.param("ssh", marks=pytest.mark.ssh),
        pytest.param("adb", marks=pytest.mark.adb),
        pytest.param("qemu", marks=[pytest.mark.emulator, pytest.mark.timeout(600)]),
    ]
)
def target(request: pytest.FixtureRequest) -> Target:
    """Each of the targets, on this machine."""
    address = request.param
    if address == "ssh":
        boards: Callable[..., Board] = request.getfixturevalue("boards")
        address = boards().address
    elif address == "adb":
        phones: Callable[..., Phone] = request.getfixturevalue("phones")
        address = phones().address
    elif address == "qemu" and any(programs.find(name) is None for name in (programs.QEMU, programs.MKE2FS)):
        pytest.skip("QEMU or mke2fs is not installed")
    return open_target(parse(address), profile(emulation_cpu="cortex-a72"))


@pytest.fixture
def work(target: Target) -> Callable[..., Workload]:
    """`workload`, with the runtime where the target has none."""
    return partial(workload, requirements=RUNTIME) if target.emulated or target.address.scheme == "adb" else workload


def started_by_us() -> set[psutil.Process]:
    """Every process that came of this one: agents, workers, couriers, ssh's, sshd's, machines."""
    return set(psutil.Process().children(recursive=True))


def test_its_lines_are_the_agents_events_from_start_to_done(target: Target, tmp_path: Path) -> None:
    """With a model of any name, its weights in a file next to it, and the runtime that a profile asks for."""
    files = with_weights_beside(tmp_path / f"{ODD}.onnx", f"{ODD}.data")
    job = workload(*files, latency=QUICK, memory=ONE_PROCESS, requirements=RUNTIME)
    with target.launch(job, silent) as lines:
        seen = events(lines)
    kinds = [event["event"] for event in seen]
    assert (kinds[0], kinds[-1]) == ("device", "done")
    assert [event["purpose"] for event in seen if event["event"] == "start"] == ["latency", "memory"]
    assert [event["outcome"] for event in seen if event["event"] == "end"] == ["completed", "completed"]
    assert max(event["hwm"] for event in seen if event["event"] == "phase") > 10e6
    assert len(next(event for event in seen if event["event"] == "latencies")["values_ns"]) >= 5
    assert {event["source"] for event in seen if event["event"] == "sample"} == {"psutil 7.0.0"}
    assert not list(Path.cwd().glob("pwned"))


def test_lines_come_while_the_model_runs_and_leaving_ends_all(target: Target, work: Work, model: Path) -> None:
    before = started_by_us()
    with target.launch(work(model, latency=LONG), silent) as lines:
        assert until(lines, "phase", phase="first-inference")["rss"] > 0
        assert started_by_us() > before
    assert comes_true(lambda: started_by_us() <= before), started_by_us() - before


def test_what_a_model_does_to_its_process_is_an_outcome(target: Target, work: Work, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    with target.launch(work(broken, latency=QUICK), silent) as lines:
        end = until(lines, "end")
        assert (end["outcome"], end["phase"]) == ("refused", "load")
        assert events(lines)[-1]["event"] == "done"


def test_a_job_that_the_agent_does_not_take_is_reported(target: Target, work: Work, model: Path) -> None:
    with target.launch(work(model, seed="none"), silent) as lines:
        assert [event["code"] for event in events(lines) if event["event"] == "problem"] == ["bad-job"]


def test_samples_are_what_the_model_is_fed(target: Target, work: Work, model: Path, tmp_path: Path) -> None:
    samples = tmp_path / "it's samples.npz"
    np.savez(samples, x=np.full((2, 1, 4), 7, dtype=np.float32))
    with target.launch(work(model, samples=samples, outputs=True), silent) as lines:
        outputs = [event for event in events(lines) if event["event"] == "output"]
    assert [np.frombuffer(base64.b64decode(one["base64"]), "<f4").tolist() for one in outputs] == [[7.0] * 4] * 2


def test_whoever_comes_second_waits_and_learns_for_whom(target: Target, work: Work, model: Path) -> None:
    with target.launch(work(model, latency=LONG, holder="anna@desk"), silent) as first:
        until(first, "start")
        with target.launch(work(model, latency=QUICK, holder="ben@desk"), silent) as second:
            if target.emulated:  # each machine is a device of its own
                assert "waiting" not in {event["event"] for event in events(second)}
            else:
                assert until(second, "waiting")["holder"].startswith("anna@desk pid ")
    if not target.emulated:
        with target.launch(work(model, latency=QUICK), silent) as third:
            assert events(third)[-1]["event"] == "done"


def test_no_descriptor_process_or_thread_is_left_here(target: Target, work: Work, model: Path) -> None:
    def held() -> tuple[int, int, int]:
        here = psutil.Process()
        return here.num_fds(), len(here.children()), here.num_threads()

    with target.launch(work(model), silent) as lines:
        events(lines)
    before = held()
    with target.launch(work(model), silent) as lines:
        next(lines)
    assert held() == before
