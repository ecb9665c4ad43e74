"""A worker that has loaded the runtime before its job is known."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from examples.real_models import fetch
from tests.agent.agent_runs import ONE_PROCESS, PATIENCE_S, SUPERVISOR, TWO_INFERENCES, AgentRun, agent_run, job, run

if TYPE_CHECKING:
    from collections.abc import Iterator

ONNX: dict[str, object] = {"format": "onnx", "runtime": None, "threads": 1, "python_path": []}
WAIT_S = 1.0


@contextmanager
def supervisor(runtime: object) -> Iterator[subprocess.Popen[bytes]]:
    argv = [
        sys.executable,
        str(SUPERVISOR),
        "--ready",
        runtime if isinstance(runtime, str) else json.dumps(runtime),
        "-",
    ]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def worker_of(process: subprocess.Popen[bytes], *, holds: str) -> psutil.Process:
    """Its one worker, once that has loaded the library whose name holds this and sleeps."""
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        for worker in psutil.Process(process.pid).children():
            if holds in Path(f"/proc/{worker.pid}/maps").read_text() and worker.status() == psutil.STATUS_SLEEPING:
                return worker
        time.sleep(0.01)
    raise AssertionError(f"no worker of {process.pid} has loaded {holds}")


def give(process: subprocess.Popen[bytes], work: dict[str, object]) -> AgentRun:
    out, err = process.communicate(json.dumps(work).encode() + b"\n", timeout=PATIENCE_S)
    return agent_run(out, err, process.returncode)


def test_it_has_loaded_the_runtime_when_the_job_comes_and_does_it() -> None:
    with supervisor(ONNX) as process:
        waiting = worker_of(process, holds="onnxruntime")
        time.sleep(WAIT_S)
        seen = give(process, job(fetch("mtcnn_onet.onnx"), deterministic=TWO_INFERENCES, memory=ONE_PROCESS))
    assert seen.code == 0, seen.stderr
    assert [start["pid"] for start in seen.of("start")] == [waiting.pid]
    assert seen.kinds[:4] == ["device", "start", "phase", "runtime"]
    assert seen.ending == ("completed", "exit", None)


def test_the_time_in_which_it_only_waited_does_not_count() -> None:
    with supervisor(ONNX) as process:
        worker_of(process, holds="onnxruntime")
        time.sleep(2 * WAIT_S)
        seen = give(process, job(fetch("mtcnn_onet.onnx"), deterministic=TWO_INFERENCES, memory=ONE_PROCESS))
    alone = run(job(fetch("mtcnn_onet.onnx"), deterministic=TWO_INFERENCES, memory=ONE_PROCESS))
    ready, other = (each.of("phase", phase="runtime-ready")[0]["at_s"] for each in (seen, alone))
    assert ready < other + WAIT_S
    (first, *_), *_ = seen.of("sample")[0]["samples"]
    assert first <= seen.of("phase", phase="model-loaded")[0]["at_s"]
    assert [phase["at_s"] for phase in seen.of("phase")] == sorted(phase["at_s"] for phase in seen.of("phase"))


def test_another_runtime_takes_a_new_process() -> None:
    with supervisor(ONNX) as process:
        waiting = worker_of(process, holds="onnxruntime")
        seen = give(process, job(fetch("emotion_quantized.tflite"), load={"processes": 1}))
    assert seen.ending == ("completed", "exit", None)
    assert seen.of("runtime")[0]["name"] != "onnxruntime"
    assert seen.of("start")[0]["pid"] != waiting.pid
    assert not waiting.is_running()


def test_the_next_process_is_a_fresh_one() -> None:
    with supervisor(ONNX) as process:
        waiting = worker_of(process, holds="onnxruntime")
        seen = give(process, job(fetch("mtcnn_onet.onnx"), load={"processes": 2}))
    first, second = (start["pid"] for start in seen.of("start"))
    assert first == waiting.pid != second
    assert {end["outcome"] for end in seen.of("end")} == {"completed"}


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", ("crashed", "runtime", None)),
        ("raise ImportError('not for this machine')", ("refused", "runtime", "missing-runtime")),
    ],
)
def test_a_runtime_that_cannot_be_loaded_is_reported_when_the_job_has_come(
    tmp_path: Path, code: str, ending: tuple[str, str, str | None]
) -> None:
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").write_text(code)
    path = [str(tmp_path)]
    with supervisor({**ONNX, "python_path": path}) as process:
        seen = give(process, job(fetch("mtcnn_onet.onnx"), python_path=path, load={"processes": 1}))
    assert seen.code == 0, seen.stderr
    assert seen.ending == ending


def test_it_ends_when_no_job_comes_and_when_it_is_stopped() -> None:
    with supervisor(ONNX) as process:
        waiting = worker_of(process, holds="onnxruntime")
        _, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 2
        assert not waiting.is_running()
    with supervisor(ONNX) as process:
        waiting = worker_of(process, holds="onnxruntime")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 143
        assert not waiting.is_running()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "pt"}', '{"format": "onnx", "threads": 0}'])
def test_what_describes_no_runtime_is_a_problem(text: str) -> None:
    with supervisor(text) as process:
        seen = give(process, job(fetch("mtcnn_onet.onnx")))
    assert seen.code == 2
    assert [event["code"] for event in seen.of("problem")] == ["bad-job"]
