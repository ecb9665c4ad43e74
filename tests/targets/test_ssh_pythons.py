"""The device's Python may be any from 3.6 on, and have much or nothing installed."""

from __future__ import annotations

import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.core.address import parse
from edgecheck.targets import open_target
from tests.builders import profile
from tests.targets.workloads import LONG, ONE_PROCESS, QUICK, comes_true, events, rest_of, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh

PYTHONS = {
    f"3.{minor}": path
    for minor in range(6, 15)
    for path in sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"))[:1]
}


@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_carries_the_conversation(board: Board, model: Path, version: str) -> None:
    target = open_target(parse(f"{board.address}?python={PYTHONS[version]}"), profile())
    with target.launch(workload(model, latency=QUICK), silent) as lines:
        seen = events(lines)
    (end,) = (event for event in seen if event["event"] == "end")
    assert seen[0]["python"].startswith(version)
    assert (end["outcome"], end["reason"]) == ("refused", "missing-runtime")
    assert seen[-1]["event"] == "done"


@pytest.mark.skipif("3.6" not in PYTHONS, reason="there is no Python 3.6 here")
def test_the_oldest_python_returns_the_results_of_a_broken_connection(board: Board, model: Path) -> None:
    target = open_target(parse(f"{board.address}?python={PYTHONS['3.6']}"), profile())
    with target.launch(workload(model, latency=LONG), silent) as lines:
        board.processes("sshd")[0].kill()
        assert "was lost" in rest_of(lines)[1]
    assert comes_true(lambda: not board.jobs)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A Python of this version into which nothing is installed."""
    venv.create(tmp_path / "bare", symlinks=True, with_pip=False)
    return tmp_path / "bare" / "bin"


def test_without_psutil_memory_is_read_from_proc(
    boards: Callable[..., Board], bare: Path, model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    installed = Path(sys.modules["onnxruntime"].__file__ or "").parents[1]
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for name in ("numpy", "numpy.libs", "onnxruntime"):
        (chosen / name).symlink_to(installed / name)
    board = boards(PATH=f"{bare}:/usr/bin:/bin", PYTHONPATH=str(chosen))
    with open_target(parse(board.address), profile()).launch(workload(model, memory=ONE_PROCESS), silent) as lines:
        assert until(lines, "sample")["source"] == "/proc"
        assert until(lines, "end")["outcome"] == "completed"


def test_a_device_with_python_and_nothing_else_is_brought_its_runtime(
    boards: Callable[..., Board], bare: Path, model: Path
) -> None:
    board = boards(PATH=f"{bare}:/usr/bin:/bin")
    words: list[str] = []
    bundled = workload(model, latency=QUICK, requirements=("onnxruntime==1.32.0",))
    with open_target(parse(board.address), profile()).launch(bundled, words.append) as lines:
        assert until(lines, "runtime")["version"] == "1.32.0"
        assert until(lines, "end")["outcome"] == "completed"
    assert any(one.startswith("sending the runtime, ") for one in words)
    words.clear()
    with open_target(parse(board.address), profile()).launch(bundled, words.append) as lines:
        assert until(lines, "end")["outcome"] == "completed"
    assert not any(one.startswith("sending") for one in words)
