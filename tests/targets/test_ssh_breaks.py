"""Whatever happens to the connection, the agent ends itself, its job goes, and results that were made are fetched.

Covers `shell/target.py`, `shell/wire.py`, `courier/courier.py`, `courier/link.py`, `courier/relay.py`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from edgecheck.checks.session import Needs, run_on
from edgecheck.core.address import parse
from edgecheck.core.run import Outcome
from edgecheck.core.units import Unit, show
from edgecheck.targets.shell.target import ShellTarget
from edgecheck.targets.shell.upload import agent_item
from edgecheck.targets.shell.wire import Patience
from edgecheck.targets.ssh import open_target
from tests.builders import ARTIFACT, budget, limit, profile
from tests.targets.sshd import USER
from tests.targets.tcp_relay import relayed
from tests.targets.workloads import LONG, ONE_PROCESS, QUICK, comes_true, events, rest_of, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh

QUICKLY = Patience(beat=0.2, silence=2.0, greeting=5.0, grace=10.0)


def hasty(address: str) -> ShellTarget:
    return replace(open_target(parse(address), profile()), patience=QUICKLY)


@pytest.mark.parametrize("victim", ["the client", "sshd's session", "the courier", "the agent"])
def test_a_process_killed_in_between_takes_the_rest_with_it(board: Board, model: Path, victim: str) -> None:
    with open_target(parse(board.address), profile()).launch(workload(model, latency=LONG), silent) as lines:
        until(lines, "phase", phase="first-inference")
        started = board.processes()
        {
            "the client": lambda: next(one for one in psutil.Process().children() if one.name() == "ssh"),
            "sshd's session": lambda: psutil.Process(board.process.pid).children()[0],
            "the courier": lambda: board.processes("python3 -c")[0],
            "the agent": lambda: board.processes("supervisor.py")[0],
        }[victim]().kill()
        _, why = rest_of(lines)
    assert why.startswith(
        f"the agent on {USER}@127.0.0.1 ended with exit code -9"
        if victim == "the agent"
        else f"the connection to {USER}@127.0.0.1 was lost"
    )
    assert comes_true(lambda: not any(one.is_running() for one in started))
    assert comes_true(lambda: not board.jobs), board.jobs


def test_results_that_the_network_kept_back_are_fetched_once(board: Board, model: Path) -> None:
    with relayed(board.port) as relay:
        board.know(relay.port)
        target = open_target(parse(f"ssh://{USER}@127.0.0.1:{relay.port}"), profile())
        with target.launch(workload(model, latency=QUICK, memory=ONE_PROCESS), silent) as lines:
            until(lines, "start")
            relay.silence()
            assert comes_true(lambda: not board.processes("supervisor.py"))
            relay.cut()
            relay.restore()
            seen, why = rest_of(lines)
        assert why == ""
        assert [event["event"] for event in seen if event["event"] in {"start", "end", "done"}] == [
            "end",
            "start",
            "end",
            "done",
        ]
        assert relay.connections == 2


def test_a_network_that_falls_silent_is_noticed_at_both_ends(board: Board, model: Path) -> None:
    with relayed(board.port) as relay:
        board.know(relay.port)
        with hasty(f"ssh://{USER}@127.0.0.1:{relay.port}").launch(workload(model, latency=LONG), silent) as lines:
            until(lines, "start")
            relay.silence()
            _, why = rest_of(lines)
            assert why == f"the connection to {USER}@127.0.0.1 was lost: nothing was heard for 2 s"
            assert comes_true(lambda: not board.processes("python3"))


def test_a_quiet_agent_is_not_a_silent_network(board: Board, model: Path) -> None:
    quiet = {**LONG, "min_s": 2, "max_s": 2}
    target = replace(open_target(parse(board.address), profile()), patience=Patience(beat=0.1, silence=1))
    with target.launch(workload(model, latency=quiet), silent) as lines:
        assert events(lines)[-1]["event"] == "done"


_HOST = """
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.targets.test_ssh_breaks import LONG, hasty, rest_of, silent, until, workload
with hasty(sys.argv[1]).launch(workload(Path(sys.argv[2]), latency=LONG), silent) as lines:
    until(lines, "phase", phase="first-inference")
    print("running", flush=True)
    print(rest_of(lines)[1], flush=True)
"""


@pytest.fixture
def host(board: Board, model: Path) -> Iterator[subprocess.Popen[str]]:
    """Another edgecheck, whose check is running."""
    argv = [sys.executable, "-c", _HOST, board.address, str(model), str(Path(__file__).parents[2])]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        yield process
        process.kill()


def test_a_host_that_dies_leaves_nothing_behind(board: Board, host: subprocess.Popen[str]) -> None:
    host.kill()
    assert comes_true(lambda: not board.processes())
    assert [path.parent.name for path in board.jobs] == ["left"]


def test_a_host_that_sleeps_is_given_up(board: Board, host: subprocess.Popen[str]) -> None:
    host.send_signal(signal.SIGSTOP)
    assert comes_true(lambda: not board.processes("python3")), board.processes()
    host.send_signal(signal.SIGCONT)
    assert host.stdout is not None
    assert host.stdout.readline().startswith(f"the connection to {USER}@127.0.0.1 was lost")
    assert comes_true(lambda: not board.jobs)


def test_a_lost_connection_leaves_a_run_that_says_so(board: Board, model: Path) -> None:
    artifact = replace(ARTIFACT, path=model, files=(model,))
    wanted = Needs(budget=budget((profile(), (limit("latency_p50", 1),))), limits=(limit("latency_p50", 1),))

    def cut(words: str) -> None:
        if words == "memory pass":
            board.processes("python3 -c")[0].kill()

    run = run_on(open_target(parse(board.address), profile()), artifact, wanted, progress=cut)
    assert run.broken.startswith(f"the connection to {USER}@127.0.0.1 was lost")
    assert run.workers[0].ending.outcome is Outcome.COMPLETED
    assert run.workers[0].latencies
    assert (run.workers[-1].ending.outcome, run.workers[-1].ending.reason) == (Outcome.KILLED, "lost")


def test_an_upload_that_is_interrupted_ends_at_once_at_both_ends(board: Board, model: Path, tmp_path: Path) -> None:
    samples = tmp_path / "samples.npz"
    samples.write_bytes(bytes(30_000_000))

    def interrupt(words: str) -> None:
        if words.startswith("sending the samples, ") and " of " in words:
            raise KeyboardInterrupt

    patient = replace(open_target(parse(board.address), profile()), patience=Patience(grace=1000))
    with pytest.raises(KeyboardInterrupt), patient.launch(workload(model, samples=samples), interrupt):
        pass
    assert comes_true(lambda: not board.processes())
    for path in (board.cache / "device" / "files").glob("[!.]*"):
        assert sha256(path.read_bytes()).hexdigest() == path.name


def test_two_first_checks_at_once_bring_everything_once(board: Board, model: Path) -> None:
    target = open_target(parse(board.address), profile())
    words: list[str] = []

    def check() -> str:
        with target.launch(workload(model, latency=QUICK), words.append) as lines:
            return str(events(lines)[-1]["event"])

    with ThreadPoolExecutor(3) as threads:
        assert [one.result() for one in [threads.submit(check) for _ in range(3)]] == ["done"] * 3
    assert sorted(one for one in words if one.startswith("sending")) == [
        f"sending the agent, {show(agent_item().size, Unit.BYTES)}",
        "sending the model, 77 B",
    ]
