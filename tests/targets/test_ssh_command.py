"""`edgecheck check --target ssh://…` as a user types it.

Covers `edgecheck/interrupts.py`.
"""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.cli.command import EDGECHECK, edgecheck
from tests.targets.sshd import USER
from tests.targets.workloads import comes_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh

BUDGET = """\
model: small.onnx
measure: {min_time: 5 s, max_time: 300 s, deadline: 400 s}
limits: {latency_p50: 10 s}
devices: {this-machine: }
"""


def test_a_check_that_is_not_judged_for_another_machine(board: Board, model: Path, tmp_path: Path) -> None:
    """The board of these tests is this machine behind SSH, which has no name to be recognised by."""
    done = edgecheck(
        *("check", model, "--device", "this-machine", "--target", board.address),
        *("--limit", "ram_peak=1GiB", "--format", "json"),
        cwd=tmp_path,
    )
    assert (done.code, done.err) == (3, "")
    (check,) = json.loads(done.out)["checks"]
    verdicts = {verdict["metric"]: verdict for verdict in check["verdicts"]}
    assert verdicts["size"]["status"] == "pass"
    assert verdicts["ram_peak"]["reason"] == f"measured on {board.address}, not on this machine"
    assert verdicts["ram_peak"]["found"]["value"] > 0
    assert check["target"] == board.address
    assert check["run"]["runtime"]["name"] == "onnxruntime"
    assert board.jobs == []


def test_a_device_that_cannot_be_reached(board: Board, model: Path, tmp_path: Path) -> None:
    board.known_hosts.write_text("")
    here = ("--device", "this-machine", "--target", board.address)
    done = edgecheck("check", model, *here, "--limit", "ram_peak=1GiB", cwd=tmp_path)
    assert done.code == 3
    assert f"The host key of {USER}@127.0.0.1 is not known here." in done.out
    assert "ssh-keyscan" in done.out.replace("\n", " ")


def test_what_is_not_an_address(tmp_path: Path, model: Path) -> None:
    done = edgecheck("check", model, "--target", "ssh://-oProxyCommand", "--limit", "ram_peak=1GiB", cwd=tmp_path)
    assert done.code == 2
    assert "'-oProxyCommand' cannot be a host's name" in done.err


@pytest.fixture
def running(board: Board, model: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A check whose model is running on the board."""
    (tmp_path / "long.yaml").write_text(BUDGET.replace("small.onnx", model.name))
    argv = [EDGECHECK, "check", "long.yaml", "--target", board.address]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert comes_true(lambda: board.processes("worker.py"))
        yield process
        process.kill()


def test_a_second_check_waits_and_says_for_whom_even_where_nobody_watches(
    board: Board, running: subprocess.Popen[str], model: Path, tmp_path: Path
) -> None:
    here = ("--device", "this-machine", "--target", board.address)
    argv = [EDGECHECK, "check", str(model), *here, "--limit", "ram_peak=1GiB"]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
        assert second.stderr is not None
        (holder,) = board.processes("supervisor.py")[:1]
        assert second.stderr.readline() == f"[1/1] waiting for {USER}@{gethostname()} pid {holder.pid}\n"
        running.send_signal(signal.SIGINT)
        out, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (3, "")
    assert f"measured on {board.address}, not on this machine" in " ".join(out.split())


def test_ctrl_c_leaves_nothing_on_the_device(board: Board, running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=30)[0].strip() == "edgecheck: interrupted."
    assert running.returncode == 130
    assert board.jobs == []
    assert comes_true(lambda: not board.processes())


def test_a_connection_that_breaks_is_unknown(board: Board, running: subprocess.Popen[str]) -> None:
    (client,) = (one for one in psutil.Process(running.pid).children() if one.name() == "ssh")
    client.kill()
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 3
    assert f"the connection to {USER}@127.0.0.1 was lost" in out.replace("\n", " ").replace("  ", " ")
    assert comes_true(lambda: not board.processes())
    assert comes_true(lambda: not board.jobs)
