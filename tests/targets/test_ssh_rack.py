"""Several boards for one device, each a real sshd: work is shared, a lost board's check is handed on, Ctrl-C ends all.

Also covers `edgecheck/checks/health.py`, `edgecheck/cli/health.py` and `edgecheck/checks/steps.py`.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from edgecheck import check as check_budgets
from examples.real_models import fetch
from tests.cli.command import EDGECHECK, edgecheck
from tests.targets.sshd import USER, free_port
from tests.targets.workloads import comes_true

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh

BUDGET = """\
model: small.onnx
bundle: system
measure: {{min_time: {seconds} s, max_time: {seconds} s, deadline: 100 s}}
limits: {{latency_p50: 10 s, ram_peak: off, footprint: off, latency_p90: off}}
devices: {{jetson-nano: }}
"""


@pytest.fixture
def rack(boards: Callable[..., Board], monkeypatch: pytest.MonkeyPatch) -> list[Board]:
    """Three boards that one configuration reaches."""
    every = [boards(name) for name in ("one", "two", "three")]
    first, *others = every
    configuration = first.folder / "client.conf"
    for board in others:
        with first.known_hosts.open("a") as file:
            file.write(board.known_hosts.read_text())
        configuration.write_text(f"IdentityFile {board.folder}/client_key\n{configuration.read_text()}")
    monkeypatch.setenv("EDGECHECK_SSH", first.ssh)
    return every


def project(folder: Path, addresses: list[str], budgets: int, seconds: float = 0.2) -> None:
    listed = "".join(f"    - {address}\n" for address in addresses)
    (folder / "edgecheck.yaml").write_text(f"targets:\n  jetson-nano:\n{listed}")
    (folder / "budgets").mkdir()
    (folder / "small.onnx").rename(folder / "budgets" / "small.onnx")
    for at in range(budgets):
        (folder / "budgets" / f"{at}.yaml").write_text(BUDGET.format(seconds=seconds))


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    argv = [EDGECHECK, "check", "--format", "json=report.json", "--format", "markdown=report.md", *options]
    return subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def report_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def shut(board: Board) -> None:
    """Take the board off the network: nobody gets in any more, and nobody stays."""
    (board.folder / "authorized_keys").write_text("")
    for session in psutil.Process(board.process.pid).children():
        session.kill()


def test_work_is_shared_and_each_thing_is_sent_to_each_board_once(
    rack: list[Board], model: Path, tmp_path: Path
) -> None:
    project(tmp_path, [board.address for board in rack], budgets=4)
    said: list[str] = []
    report = check_budgets(root=tmp_path, progress=said.append)
    targets = [result.target for result in report.results]
    assert set(targets) == {board.address for board in rack}
    assert [Path(result.budget.path).stem for result in report.results] == list("0123")
    for board in rack:
        sent = [words.rpartition("sending ")[2] for words in said if words.startswith(board.address)]
        things = [words.partition(",")[0] for words in sent if words.startswith("the ")]
        assert sorted(things) == ["the agent", "the model"]
    assert report.boards == {"jetson-nano": tuple(board.address for board in rack)}
    assert all(result.run is not None and not result.run.broken for result in report.results)


def test_every_board_may_do_every_check(rack: list[Board], model: Path, tmp_path: Path) -> None:
    project(tmp_path, [board.address for board in rack[:2]], budgets=1)
    with started(tmp_path, "--every-board") as process:
        out, _ = process.communicate(timeout=60)
    assert [check["target"] for check in report_in(tmp_path)["checks"]] == [board.address for board in rack[:2]]
    assert "latency_p50" in out.partition("highest")[2]


def test_a_board_that_is_lost_hands_its_check_on_and_is_left_out(
    rack: list[Board], model: Path, tmp_path: Path
) -> None:
    nobody = f"ssh://{USER}@127.0.0.1:{free_port()}"
    project(tmp_path, [nobody, *(board.address for board in rack)], budgets=4, seconds=1)
    gone, *alive = rack
    with started(tmp_path) as process:
        assert comes_true(lambda: gone.processes("worker.py"))
        shut(gone)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 3  # it is no Jetson
    report = report_in(tmp_path)
    assert {check["target"] for check in report["checks"]} <= {board.address for board in alive}
    assert all(check["run"]["broken"] == "" for check in report["checks"])
    lost = {one["address"]: one["reason"] for check in report["checks"] for one in check.get("lost_boards", ())}
    assert lost.keys() == {nobody, gone.address}
    assert "was lost" in lost[gone.address]
    assert f"{nobody} is left out: {USER}@127.0.0.1 is there and runs no SSH server" in err
    assert f"{gone.address} is left out: the connection to {USER}@127.0.0.1 was lost" in err
    assert f"{gone.address} is left out. the connection to" in " ".join(out.split())
    assert "4 boards" in (tmp_path / "report.md").read_text()
    (told,) = [each for check in report["checks"] for each in check["caveats"] if gone.address in each["message"]]
    assert told["code"] == "board-lost"


def test_with_all_boards_dead_every_check_is_unknown_with_all_reasons(model: Path, tmp_path: Path) -> None:
    dead = [f"ssh://{USER}@127.0.0.1:{free_port()}" for _ in range(2)]
    project(tmp_path, dead, budgets=3)
    with started(tmp_path) as process:
        process.communicate(timeout=60)
    assert process.returncode == 3
    checks = report_in(tmp_path)["checks"]
    assert len(checks) == 3
    for check in checks:
        assert check["status"] == "unknown"
        assert check["problem"].startswith("No board of this device is left.")
        assert all(address in check["problem"] for address in dead)
        assert check["figures"]["size"]["value"] > 0


def test_ctrl_c_ends_all_boards_at_once_and_leaves_nothing_on_any(
    rack: list[Board], model: Path, tmp_path: Path
) -> None:
    project(tmp_path, [board.address for board in rack], budgets=6, seconds=60)
    with started(tmp_path) as process:
        assert comes_true(lambda: all(board.processes("worker.py") for board in rack))
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        took = time.monotonic() - began
    assert (process.returncode, err.strip()) == (130, "edgecheck: interrupted.")
    assert took < 5
    for board in rack:
        assert board.jobs == []
        assert comes_true(lambda board=board: not board.processes())  # type: ignore[misc]


def test_a_baseline_stays_on_the_board_that_measured_it(rack: list[Board], model: Path, tmp_path: Path) -> None:
    project(tmp_path, [board.address for board in rack], budgets=2)
    for path in (tmp_path / "budgets").glob("*.yaml"):
        path.write_text(path.read_text() + "regression: {latency_p50: 300%}\n")
    with started(tmp_path) as process:
        process.communicate(timeout=60)
    before = {check["budget"]: check["target"] for check in report_in(tmp_path)["checks"]}
    (tmp_path / "report.json").rename(tmp_path / "before.json")
    (tmp_path / "edgecheck.yaml").write_text(
        "targets: {jetson-nano: [" + ", ".join(board.address for board in reversed(rack)) + "]}\n"
    )
    with started(tmp_path, "--baseline", "before.json") as process:
        process.communicate(timeout=60)
    checks = report_in(tmp_path)["checks"]
    assert {check["budget"]: check["target"] for check in checks} == before
    assert all(verdict["baseline"] is not None for check in checks for verdict in check["verdicts"])


def test_the_health_of_every_board_is_asked_and_kept(rack: list[Board], tmp_path: Path) -> None:
    nobody = f"ssh://{USER}@127.0.0.1:{free_port()}"
    addresses = [*(board.address for board in rack[:2]), nobody]
    (tmp_path / "edgecheck.yaml").write_text(f"targets: {{jetson-nano: [{', '.join(addresses)}]}}\n")
    done = edgecheck("devices", "health", "--bundle", "system", "--format", "json=health.json", cwd=tmp_path)
    assert done.code in (1, 3), done.err
    report = json.loads((tmp_path / "health.json").read_text())
    assert [check["target"] for check in report["checks"]] == addresses
    assert [bool(check["figures"].get("latency_p50")) for check in report["checks"]] == [True, True, False]
    rows = [json.loads(line) for line in (tmp_path / ".edgecheck" / "health.jsonl").read_text().splitlines()]
    kept = {row["where"] for row in rows if row["metric"] == "latency_p50"}
    assert kept == {board.address for board in rack[:2]}


def test_the_variants_that_fit_tries_are_measured_on_one_board(rack: list[Board], tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "small.onnx")  # with weights, so that there is a float16
    project(tmp_path, [board.address for board in rack], budgets=1)
    # The profile of the machine that it is: fit tries no more variants where none can be decided.
    probed = edgecheck("devices", "probe", rack[0].address, "--save", "jetson-nano", cwd=tmp_path)
    assert probed.code == 0, probed.err
    argv = ("fit", "budgets/0.yaml", "--all", "--variant", "as-is", "--variant", "float16", "--format", "json")
    done = edgecheck(*argv, cwd=tmp_path)
    (fit,) = json.loads(done.out)["fits"]
    workers = {trial["variant"]: trial["check"]["run"]["workers"] for trial in fit["trials"]}
    measured = {variant for variant, each in workers.items() if any(worker["latencies"] for worker in each)}
    assert measured == {"as-is", "float16"}
    (board,) = {trial["check"]["target"] for trial in fit["trials"]}
    brought = {each.address for each in rack if any((each.cache / "device" / "files").glob("*"))}
    assert brought == {board}


def test_a_shard_of_the_checks_is_shared_by_all_boards(rack: list[Board], model: Path, tmp_path: Path) -> None:
    project(tmp_path, [board.address for board in rack], budgets=4)
    with started(tmp_path, "--shard", "1/2") as process:
        process.communicate(timeout=60)
    checks = report_in(tmp_path)["checks"]
    assert len(checks) == 2
    assert len({check["target"] for check in checks}) == 2
