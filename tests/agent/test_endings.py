"""How workers end badly: by a signal, for memory, too late. Each is an outcome with its phase; the agent survives."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from examples.real_models import fetch
from tests.agent.agent_runs import PATIENCE_S, QUICK, SUPERVISOR, AgentRun, Live, job, run

if TYPE_CHECKING:
    from collections.abc import Iterator

LATENCY = {**QUICK, "min_count": 1}


def damaged(folder: Path, name: str, at: int, byte: int) -> Path:
    """A real model with one byte changed: found by trying, since most such files are simply refused."""
    content = bytearray(fetch(name).read_bytes())
    content[at] = byte
    path = folder / name
    path.write_bytes(content)
    return path


@contextlib.contextmanager
def core_files() -> Iterator[None]:
    """What is started here may write core files: the agent's workers must not."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.parametrize(
    ("at", "byte", "phase", "during"),
    [
        (32618, 1, "load", "while the model was loaded"),
        (31952, 1, "first-inference", "in the first inference"),
        (576, 128, "first-inference", "in the first inference"),
    ],
)
def test_a_damaged_file_can_kill_the_process(at: int, byte: int, phase: str, during: str, tmp_path: Path) -> None:
    with core_files():
        heard = run(job(damaged(tmp_path, "hey_jarvis.tflite", at, byte), load={"processes": 1}))
    assert heard.code == 0
    assert heard.ending == ("crashed", phase, None)
    assert heard.end["signal"] == "SIGSEGV"
    assert heard.end["message"] == f"the process died of SIGSEGV {during}"
    assert heard.kinds[-1] == "done"


@pytest.mark.parametrize(("at", "byte"), [(28372, 0), (27744, 128)])
def test_a_file_that_damages_the_heap_kills_the_process_at_some_later_time(at: int, byte: int, tmp_path: Path) -> None:
    """In the first inference or, after its result is there, when the model is let go: it depends on the heap."""
    heard = run(job(damaged(tmp_path, "hey_jarvis.tflite", at, byte), load={"processes": 1}))
    assert heard.end["outcome"] == "crashed"
    assert heard.end["signal"] in ("SIGABRT", "SIGSEGV", "SIGBUS")
    assert heard.end["phase"] in ("first-inference", "exit")


def test_a_crash_before_any_result_ends_the_job(tmp_path: Path) -> None:
    heard = run(
        job(damaged(tmp_path, "hey_jarvis.tflite", 32618, 1), latency=LATENCY, load={}, memory={}, outputs=True)
    )
    assert heard.purposes == ["latency"]


def test_the_deadline_ends_a_model_that_hangs_while_it_loads(tmp_path: Path) -> None:
    heard = run(job(damaged(tmp_path, "hey_jarvis.tflite", 36151, 1), latency=LATENCY, memory={}, deadline_s=2.5))
    assert heard.code == 0
    assert heard.ending == ("timeout", "load", None)
    assert heard.end["message"] == "the deadline passed while the model was loaded"
    assert [event["event"] for event in heard.events][-3:] == ["end", "device", "done"], "nothing else is tried"


def test_the_deadline_ends_a_long_measurement_and_keeps_what_there_is() -> None:
    plan = {**QUICK, "min_count": 100_000, "max_s": 60, "looks": []}
    heard = run(job(fetch("nmp.tflite"), latency=plan, deadline_s=2.5))
    assert heard.ending == ("timeout", "steady", None)
    assert [event["phase"] for event in heard.of("phase")][-1] == "first-inference"


FAKE = """
import atexit, os, signal, sys, time
import numpy
class Interpreter:
    def __init__(self, model_path=None, model_content=None, num_threads=None):
        self.real = model_path is not None
        if self.real: {load}
    def get_input_details(self):
        return [dict(name="x", index=0, dtype=numpy.float32, quantization=(0, 0),
                     shape=numpy.array([1, 2]), shape_signature=numpy.array([{dim}, 2]))]
    def get_output_details(self): return []
    def allocate_tensors(self): pass
    def set_tensor(self, index, value): pass
    def invoke(self):
        if self.real: {invoke}
"""


def with_runtime(
    tmp_path: Path, on_load: str = "pass", invoke: str = "pass", dim: int = 1, **fields: object
) -> AgentRun:
    """A run with a runtime that behaves in a way that no real one can be brought to at will."""
    package = tmp_path / "tflite_runtime"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '0'")
    (package / "interpreter.py").write_text(FAKE.format(load=on_load, invoke=invoke, dim=dim))
    plan = {"batch_s": 0.0001, "max_batches": 2}
    path = [str(tmp_path)]
    model = fetch("emotion_quantized.tflite")
    return run(job(model, runtime="tflite-runtime", python_path=path, deterministic=plan, **fields))


def test_what_a_runtime_prints_disturbs_nothing_and_its_end_is_kept(tmp_path: Path) -> None:
    heard = with_runtime(tmp_path, on_load="os.write(1, b'x' * 100000 + b'{\"event\": 1}\\n'); os.write(2, b'the end')")
    assert heard.ending == ("completed", "exit", None)
    assert len(heard.end["stderr_tail"]) == 4096
    assert heard.end["stderr_tail"].endswith("the end")


def test_a_runtime_that_ends_the_process_by_itself(tmp_path: Path) -> None:
    heard = with_runtime(tmp_path, on_load="os._exit(3)")
    assert heard.ending == ("crashed", "load", None)
    assert heard.end["message"] == "the process ended with exit code 3 while the model was loaded"
    assert (heard.end["exit_code"], heard.end["signal"]) == (3, None)


def test_an_illegal_instruction_is_reported_in_words(tmp_path: Path) -> None:
    heard = with_runtime(tmp_path, invoke="os.kill(os.getpid(), signal.SIGILL)")
    assert heard.end["outcome"] == "crashed"
    assert heard.end["message"].startswith("the process used an instruction that this processor does not have (SIGILL)")


def test_a_crash_on_guessed_dimensions_asks_for_them(tmp_path: Path) -> None:
    heard = with_runtime(tmp_path, invoke="os.kill(os.getpid(), signal.SIGFPE)", dim=-1)
    assert heard.ending == ("refused", "first-inference", "open-dimension")
    assert heard.end["signal"] == "SIGFPE"
    assert heard.end["message"] == (
        "input x: shape [?, 2]; give inputs: {x: [N, 2]} (with 1 for what is open, the process died of SIGFPE in the"
        " first inference)"
    )


def test_a_failed_allocation_is_reported_as_such(tmp_path: Path) -> None:
    heard = with_runtime(tmp_path, on_load="raise MemoryError")
    assert heard.ending == ("refused", "load", "out-of-memory")
    assert heard.end["message"] == "there was not enough memory for the model"


def test_a_child_that_a_runtime_starts_ends_with_it(tmp_path: Path) -> None:
    heard = with_runtime(tmp_path, on_load="os.fork() or time.sleep(600)")
    assert heard.ending == ("completed", "exit", None)


def test_what_was_measured_before_a_crash_is_kept_and_the_next_pass_goes_on(tmp_path: Path) -> None:
    heard = with_runtime(
        tmp_path, on_load="atexit.register(os.kill, os.getpid(), signal.SIGSEGV)", load={"processes": 2}
    )
    assert {(end["outcome"], end["phase"], end["signal"]) for end in heard.of("end")} == {
        ("crashed", "exit", "SIGSEGV")
    }
    assert heard.of("batches")
    assert heard.purposes == ["deterministic", "load"]


def test_a_runtime_that_hangs_while_it_unloads_is_ended_by_the_deadline(tmp_path: Path) -> None:
    heard = with_runtime(tmp_path, on_load="atexit.register(time.sleep, 600)", deadline_s=2.5)
    assert heard.ending == ("timeout", "exit", None)
    assert heard.of("batches")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_somebody_kills_is_not_taken_for_a_lack_of_memory(number: signal.Signals) -> None:
    with Live(job(fetch("emotion_quantized.tflite"), latency={**QUICK, "min_s": 60, "max_s": 60})) as live:
        pid = live.until("start")["pid"]
        live.until("phase", phase="first-inference")
        os.kill(pid, number)
        end = live.until("end")
    assert (end["outcome"], end["phase"], end["signal"]) == ("killed", "steady", number.name)
    assert (
        end["message"]
        == f"something killed the process ({number.name}) in a later inference, without a sign that memory ran out"
    )


def test_an_internal_error_of_the_worker_is_not_blamed_on_the_model() -> None:
    """A look without its table: the host's fault, and then the agent's for not having seen it sooner."""
    heard = run(job(fetch("emotion_quantized.tflite"), latency={**LATENCY, "looks": [{"id": "x"}]}))
    assert heard.ending == ("crashed", "steady", "agent-fault")
    assert heard.end["message"].startswith("internal error of the agent: KeyError: ")
    assert "Traceback" in heard.end["stderr_tail"]


def test_a_fault_of_the_supervisors_own_is_the_last_line() -> None:
    """So few descriptors that no worker can be started."""
    text = json.dumps(job(fetch("emotion_quantized.tflite"), load={})).encode()
    argv = ["prlimit", "--nofile=8", sys.executable, str(SUPERVISOR), "-"]
    done = subprocess.run(argv, input=text, capture_output=True, check=False)
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 70
    assert (last["event"], last["code"]) == ("problem", "agent-fault")
    assert last["message"] == "OSError: [Errno 24] Too many open files"
    assert b"Traceback" in done.stderr


@pytest.fixture
def tight_memory() -> Iterator[Path]:
    """A memory cgroup of 400 MB: its folder."""
    group = _limited(400 * 2**20)
    if group is None:
        pytest.skip("no memory cgroup can be made here")
    yield group
    patience = time.monotonic() + PATIENCE_S
    while True:
        try:
            group.rmdir()
        except OSError:  # the kernel is still at taking apart what was killed in it
            assert time.monotonic() < patience
            time.sleep(0.1)
        else:
            return


def _limited(size: int) -> Path | None:
    """A new memory cgroup of `size` bytes, of version 1 or 2; None where there can be none."""
    root = Path("/sys/fs/cgroup")
    for parent, name in ((root / "memory", "memory.limit_in_bytes"), (root, "memory.max")):
        group = parent / f"edgecheck-test-{uuid.uuid4().hex}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            with (group / name).open("r+") as limit:  # not made by us: the kernel's own, or none
                limit.write(str(size))
        except OSError:
            group.rmdir()
            continue
        return group
    return None


def test_a_model_that_does_not_fit_is_killed_for_memory_and_the_agent_survives_to_report_it(tight_memory: Path) -> None:
    """575 MB of weights in 400 MB: the kernel's out-of-memory killer takes the worker, not its supervisor."""
    starting = job(fetch("light_vgg19.onnx"), memory={"processes": [1, 1]}, watch_stdin=True)
    with Live(starting, group=tight_memory) as live:
        heard = live.rest()
    assert heard.code == 0
    assert heard.ending == ("killed-for-memory", "load", "out-of-memory")
    assert heard.end["message"].startswith("the kernel killed the process for memory while the model was loaded (")
    assert max(rss for event in heard.of("sample") for _, rss in event["samples"]) > 200e6
