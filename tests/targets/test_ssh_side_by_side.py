"""Several boards at once: each has its own queue, results come in the budgets' order, and one may go."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.cli.command import EDGECHECK
from tests.targets.sshd import USER
from tests.targets.workloads import comes_true

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh

#: Long enough that both boards are at work at once; with the runtime that they have.
BUDGET = """\
model: small.onnx
bundle: system
measure: {{min_time: {seconds} s, max_time: {seconds} s, deadline: 100 s}}
limits: {{latency_p50: 10 s, ram_peak: off, footprint: off, latency_p90: off}}
devices: {{jetson-nano: , raspberry-pi-4-2gb: }}
"""


@pytest.fixture
def pair(boards: Callable[..., Board], monkeypatch: pytest.MonkeyPatch) -> tuple[Board, Board]:
    """Two boards that one configuration reaches."""
    one, other = boards("one"), boards("other")
    with one.known_hosts.open("a") as file:
        file.write(other.known_hosts.read_text())
    configuration = one.folder / "client.conf"
    configuration.write_text(f"IdentityFile {other.folder}/client_key\n{configuration.read_text()}")
    monkeypatch.setenv("EDGECHECK_SSH", one.ssh)
    return one, other


def started(pair: tuple[Board, Board], folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Two budgets on both boards: the Jetson's is the first, the Raspberry Pi's the other."""
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(BUDGET.format(seconds=seconds))
    one, other = pair
    targets = ("--target", f"jetson-nano={one.address}", "--target", f"raspberry-pi-4-2gb={other.address}")
    argv = [EDGECHECK, "check", "a.yaml", "b.yaml", *targets, "--format", "json=report.json"]
    return subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def checks_in(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["checks"]
    return found


def order(checks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(Path(check["budget"]).stem, check["device"]) for check in checks]


EXPECTED = [
    ("a", "jetson-nano"),
    ("a", "raspberry-pi-4-2gb"),
    ("b", "jetson-nano"),
    ("b", "raspberry-pi-4-2gb"),
]


def test_each_board_has_its_own_queue_and_results_come_in_order(
    pair: tuple[Board, Board], model: Path, tmp_path: Path
) -> None:
    most = [0, 0]
    together = False
    with started(pair, tmp_path, seconds=0.5) as process:
        while process.poll() is None:
            running = [len(list((board.cache / "device" / "jobs").glob("*"))) for board in pair]
            most = [max(each) for each in zip(most, running, strict=True)]
            together = together or all(running)
            time.sleep(0.1)
        assert process.stderr is not None
        assert (process.returncode, process.stderr.read()) == (3, "")
    checks = checks_in(tmp_path)
    assert order(checks) == EXPECTED
    assert most == [1, 1]
    assert together
    for check in checks:
        assert check["run"]["broken"] == ""
        assert check["run"]["runtime"]["name"] == "onnxruntime"
        (verdict,) = (each for each in check["verdicts"] if each["metric"] == "latency_p50")
        assert verdict["reason"].startswith("measured on Linux ")


def test_a_board_that_goes_does_not_stop_the_other(pair: tuple[Board, Board], model: Path, tmp_path: Path) -> None:
    gone, alive = pair
    with started(pair, tmp_path, seconds=1) as process:
        assert comes_true(lambda: all(board.processes("worker.py") for board in pair))
        (gone.folder / "authorized_keys").write_text("")
        for session in psutil.Process(gone.process.pid).children():
            session.kill()
        process.communicate(timeout=120)
    assert process.returncode == 3
    checks = checks_in(tmp_path)
    assert order(checks) == EXPECTED
    lost, whole, refused, also_whole = checks
    assert lost["run"]["broken"].startswith(f"the connection to {USER}@127.0.0.1 was lost")
    assert refused["run"] is None
    assert refused["problem"].startswith(f"{USER}@127.0.0.1 takes none of your keys")
    for check in (whole, also_whole):
        assert check["target"] == alive.address
        assert check["run"]["broken"] == ""
        assert len(check["run"]["workers"][0]["latencies"]) > 100
