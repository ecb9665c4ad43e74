"""The agent on the Pythons of boards in the field, 3.6 to 3.13, each with a runtime that was made for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from platformdirs import user_cache_path

from examples.real_models import fetch
from tests.agent import small_models
from tests.agent.agent_runs import (
    AGENT,
    MARK,
    ONE_PROCESS,
    QUICK,
    SUPERVISOR,
    AgentRun,
    Live,
    agent_run,
    decoded,
    job,
    run,
)

TAGS = ["_2_34", "_2_31", "_2_28", "_2_27", "_2_17", "2014", "2010", "1"]  # pip matches them exactly


@dataclass(frozen=True, slots=True)
class Board:
    """A Python as a board has it, with the wheels that are brought along."""

    python: str
    wheels: tuple[str, ...]
    model: str
    runtime: str


BOARDS = (
    Board("3.6", ("numpy==1.19.5", "onnxruntime==1.10.0"), "mtcnn_onet.onnx", "onnxruntime 1.10.0"),
    Board("3.8", ("numpy==1.24.4", "psutil==7.2.2", "onnxruntime==1.19.2"), "mtcnn_onet.onnx", "onnxruntime 1.19.2"),
    Board(
        "3.9",
        ("numpy==1.26.4", "psutil==7.2.2", "tflite-runtime==2.14.0"),
        "face_detection_short_range.tflite",
        "tflite-runtime 2.14.0",
    ),
    Board(
        "3.13",
        ("numpy==2.5.5", "psutil==7.2.2", "ai-edge-litert==2.3.0"),
        "face_detection_short_range.tflite",
        "ai-edge-litert 2.3.0",
    ),
)


def interpreter(version: str) -> Path:
    """The path of that Python; skips the test where this machine has none."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    found = [path for root in roots for path in sorted(root.glob(f"{version}.*/bin/python{version}"))]
    found += [path for folder in os.get_exec_path() if (path := Path(folder) / f"python{version}").is_file()]
    for path in found:
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"there is no Python {version} on this machine")


def bundle(board: Board) -> Path:
    """The board's wheels, unpacked, from a cache or from the registry; skips the test where they cannot be had."""
    home = user_cache_path("edgecheck-test-runtimes")
    place = home / "-".join((board.python, *board.wheels)).replace("==", "-")
    if not place.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as scratch:
            argv = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-compile",
                "--only-binary=:all:",
            ]
            argv += ["--python-version", board.python, "--implementation", "cp", "--target", f"{scratch}/site"]
            argv += [word for tag in TAGS for word in ("--platform", f"manylinux{tag}_{os.uname().machine}")]
            done = subprocess.run([*argv, *board.wheels], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no wheels for Python {board.python}: {done.stderr.strip()[-300:]}")
            Path(scratch, "site").rename(place)
    return place


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13"])
def test_every_file_is_of_that_pythons_syntax_and_a_probe_answers(version: str) -> None:
    python = interpreter(version)
    check = "import ast, sys; [ast.parse(open(p, encoding='utf-8').read()) for p in sys.argv[1:]]"
    files = sorted(str(path) for path in AGENT.rglob("*.py"))
    subprocess.run([python, "-c", check, *files], check=True)
    done = subprocess.run([python, SUPERVISOR, "--probe"], capture_output=True, check=False)
    (event,) = agent_run(done.stdout, done.stderr, done.returncode).events
    assert event["python"].startswith(version + ".")
    assert done.stderr == b""


@pytest.fixture(scope="module", params=BOARDS, ids=[board.python for board in BOARDS])
def board(request: pytest.FixtureRequest) -> Board:
    assert isinstance(request.param, Board)
    return request.param


@pytest.fixture(scope="module")
def everything(board: Board) -> AgentRun:
    """A complete job on that Python."""
    python = interpreter(board.python)
    fields = {"latency": QUICK, "load": {"processes": 2}, "memory": ONE_PROCESS, "outputs": True}
    return run(job(fetch(board.model), python_path=[str(bundle(board))], **fields), python)


def test_a_complete_job_runs(board: Board, everything: AgentRun) -> None:
    assert everything.code == 0
    assert everything.stderr == ""
    assert {end["outcome"] for end in everything.of("end")} == {"completed"}
    assert everything.purposes == ["latency", "load", "memory", "outputs"]
    runtime = everything.of("runtime")[0]
    assert f"{runtime['name']} {runtime['version']}" == board.runtime
    assert runtime["python"].startswith(board.python + ".")


def test_its_latencies_are_whole_nanoseconds(everything: AgentRun) -> None:
    values = [value for event in everything.of("latencies") for value in event["values_ns"]]
    assert len(values) >= 10
    assert all(isinstance(value, int) and value > 1000 for value in values)


def test_its_memory_is_sampled_by_psutil_or_by_hand(board: Board, everything: AgentRun) -> None:
    """The oldest board is given no psutil."""
    sources = {event["source"] for event in everything.of("sample")}
    assert sources == ({"/proc"} if board.python == "3.6" else {"psutil 7.2.2"})
    mark = everything.of("phase", phase="steady", process=3)[0]["hwm"]
    samples = [rss for event in everything.of("sample") for _, rss in event["samples"]]
    assert max(samples) == pytest.approx(mark, rel=0.05)


def test_its_answers_are_those_of_this_python(board: Board, everything: AgentRun) -> None:
    """So are the random values that it feeds: what they are does not depend on Python or numpy."""
    here = run(job(fetch(board.model), outputs=True))
    for event, other in zip(everything.of("output"), here.of("output"), strict=True):
        assert (event["name"], event["shape"]) == (other["name"], other["shape"])
        expected = decoded(other)
        np.testing.assert_allclose(decoded(event), expected, rtol=0.01, atol=0.005 * np.abs(expected).max())


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_a_signature_runs_with_both_packages(version: str, tmp_path: Path) -> None:
    """Their interpreters are called by names that are not public."""
    board = next(one for one in BOARDS if one.python == version)
    np.savez(tmp_path / "samples.npz", flip=np.array([[True]]), x=np.array([[1, -2, 3]], np.float32))
    model = small_models.two_signatures(tmp_path / "two.tflite")
    asked = job(
        model,
        signature="decode",
        samples=str(tmp_path / "samples.npz"),
        python_path=[str(bundle(board))],
        outputs=True,
    )
    heard = run(asked, interpreter(version))
    np.testing.assert_array_equal(decoded(heard.of("output")[0]), [[-1, 2, -3]])


@pytest.mark.parametrize("version", ["3.6", "3.13"])
def test_it_ends_with_its_host_there_too(version: str) -> None:
    board = next(one for one in BOARDS if one.python == version)
    plan = {**QUICK, "min_s": 600, "max_s": 600, "max_count": 10**9}
    starting = job(fetch(board.model), python_path=[str(bundle(board))], latency=plan, watch_stdin=True)
    with Live(starting, python=interpreter(version)) as live:
        live.until("phase", phase="first-inference")
        live.hang_up()
        assert live.rest().code == 143
    assert os.environ[MARK]


def test_tflite_runtime_with_numpy_2_is_a_missing_runtime() -> None:
    """It imports, and then fails: a check by import is not enough."""
    wheels = ("numpy==2.0.2", "tflite-runtime==2.14.0")
    board = Board("3.9", wheels, "emotion_quantized.tflite", "tflite-runtime 2.14.0")
    heard = run(job(fetch(board.model), python_path=[str(bundle(board))], load={}), interpreter("3.9"))
    assert heard.ending == ("refused", "runtime", "missing-runtime")
    assert "ai-edge-litert: No module named 'ai_edge_litert'" in heard.end["message"]
    assert "tflite-runtime: " in heard.end["message"]
