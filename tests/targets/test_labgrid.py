"""Boards of a labgrid lab: the real coordinator, exporter and client, and real sshd's, on loopback.

Covers `labgrid/target.py`, `labgrid/lease.py`, `labgrid/keeper.py`, `labgrid/parent.py`,
`labgrid/holding.py`, `labgrid/coordinator.py` and `labgrid/records.py`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from socket import getfqdn
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from edgecheck.checks.session import Needs, run_on
from edgecheck.core.address import parse
from edgecheck.errors import TargetError
from edgecheck.leases import releasing
from edgecheck.targets import open_target
from edgecheck.targets.labgrid.target import PlaceTarget
from edgecheck.targets.shell.cache import device_cache, probe
from edgecheck.targets.shell.wire import Patience
from tests.builders import ARTIFACT, budget, limit, profile
from tests.cli.command import EDGECHECK, edgecheck
from tests.targets import lab as labs
from tests.targets import sshd
from tests.targets.sshd import USER
from tests.targets.workloads import LONG, QUICK, comes_true, events, identity, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.targets.lab import Lab, Person, Power
    from tests.targets.sshd import Board

pytestmark = pytest.mark.labgrid

ME = "here/me"


@dataclass(frozen=True, slots=True)
class Rack:
    """The lab, and what stands in it."""

    lab: Lab
    board: Board
    hung: Board
    """On a power switch."""
    power: Power
    anna: Person


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """One lab for all tests of this file."""
    if problem := labs.missing():
        (pytest.fail if "CI" in os.environ else pytest.skip)(problem)
    folder = tmp_path_factory.mktemp("lab")
    with ExitStack() as stack:
        board = stack.enter_context(sshd.started(folder / "board"))
        hung = stack.enter_context(sshd.started(folder / "hung"))
        (hung.folder / "authorized_keys").write_text((board.folder / "client_key.pub").read_text())
        with board.known_hosts.open("a") as file:
            file.write(hung.known_hosts.read_text())
        power = labs.Power(hung)
        stack.callback(power.end)
        lab = stack.enter_context(labs.started(folder / "coordinator"))
        lab.export(
            {
                "free": labs.service(board),
                "near": labs.service(board),
                "bare": power.port,
                "hung": {**labs.service(hung), **power.port},
                "plain": labs.service(hung),
                "inside": {"NetworkService": {"address": "fe80::1%eth1", "username": "root"}},
                "evil": {"NetworkService": {"address": "$(touch pwned)", "username": "root"}},
            }
        )
        with (board.folder / "client.conf").open("a") as file:
            file.write(f"Host {getfqdn()}\n    HostName 127.0.0.1\n    Port {board.port}\n    User {USER}\n")
        lab.export({"far": labs.service(board)}, "--isolated", name="isolated")
        lab.add("free", board="free")
        lab.add("near", board="pi", rack="1")
        lab.add("far", board="pi", rack="2")
        for name in ("bare", "hung", "plain", "inside", "evil", "gone"):
            lab.add(name, board=name)
        assert comes_true(
            lambda: all(lab.boss.place(name)["resources"] for name in ("far", "hung", "inside", "plain", "evil"))
        )
        yield Rack(lab, board, hung, power, lab.person("anna"))


@pytest.fixture
def rack(shared: Rack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Rack]:
    """The lab, and that nothing of it is held afterwards."""
    monkeypatch.setenv("EDGECHECK_SSH", shared.board.ssh)
    monkeypatch.setenv("LG_COORDINATOR", shared.lab.address)
    monkeypatch.setenv("LG_USERNAME", "me")
    monkeypatch.setenv("LG_HOSTNAME", "here")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shared.power.switched.clear()
    shared.power.is_broken = False
    with releasing():
        yield shared
    assert labs.is_free(shared.lab), shared.lab.boss.ask("places")
    assert comes_true(lambda: not labs.keepers(tmp_path / "state"))
    assert not list((tmp_path / "state").rglob("*.json"))
    assert comes_true(lambda: not shared.board.processes())


def launched(address: str, model: Path, said: list[str] | None = None) -> list[dict[str, Any]]:
    """All events of a short run at an address."""
    target = open_target(parse(address), profile())
    with target.launch(workload(model, latency=QUICK), silent if said is None else said.append) as lines:
        return events(lines)


def refused(address: str, model: Path) -> TargetError:
    """Why a check there cannot begin."""
    with pytest.raises(TargetError) as caught:
        launched(address, model)
    return caught.value


def test_a_place_is_leased_once_used_and_released(rack: Rack, model: Path) -> None:
    said: list[str] = []
    with releasing():
        for _ in range(2):
            seen = launched("labgrid://board=free", model, said)
            assert seen[-1]["event"] == "done"
            assert seen[0] == {
                "event": "note",
                "code": "place",
                "message": f"measured on free of the lab at {rack.lab.address}",
            }
            assert rack.anna.owner("free") == ME
        ours = f"free is ours: {USER}@127.0.0.1:{rack.board.port}"
        assert [words for words in said if "ours" in words] == [ours]
        assert f"connecting to free ({USER}@127.0.0.1:{rack.board.port})" in said
    assert rack.anna.owner("free") == ""


def test_several_tags_the_name_and_the_coordinator_choose_a_place(
    rack: Rack, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LG_COORDINATOR")
    for tags, place in (("board=pi,rack=1", "near"), ("name=free", "free")):
        seen = launched(f"labgrid://{rack.lab.address}/{tags}", model)
        assert f"measured on {place} of" in seen[0]["message"]


def test_a_board_behind_its_exporter_is_reached_through_that_host(rack: Rack, model: Path) -> None:
    before = rack.board.process.pid
    assert launched("labgrid://board=pi,rack=2", model)[-1]["event"] == "done"
    target = open_target(parse("labgrid://board=pi,rack=2"), profile())
    with target.launch(workload(model, latency=LONG), silent) as lines:
        until(lines, "start")
        logins = [one for one in psutil.Process(before).children() if one.is_running()]
        assert len(logins) == 2, "one to the exporter's host, one to the board"


def test_who_has_it_and_the_queue_are_said_while_waiting(rack: Rack, model: Path) -> None:
    rack.anna.ask("acquire", place="free")
    ben = rack.lab.person("ben")
    token = ben.ask("reserve", wanted={"board": "free"})["token"]
    said: list[str] = []

    def release_when_asked(words: str) -> None:
        said.append(words)
        if "number 2 of 2" in words:
            ben.ask("cancel", token=token)
            rack.anna.ask("release", place="free")

    target = open_target(parse("labgrid://board=free"), profile())
    with target.launch(workload(model, latency=QUICK), release_when_asked) as lines:
        assert events(lines)[-1]["event"] == "done"
    waits = [words for words in said if words.startswith("waiting for a place")]
    assert re.fullmatch(
        r"waiting for a place with board=free for up to 30 min: free is in use by anna@desk since \d\d:\d\d; "
        r"number 2 of 2 in the queue",
        waits[0],
    )


def test_the_wait_has_an_end(rack: Rack, model: Path) -> None:
    rack.anna.ask("acquire", place="free")
    error = refused("labgrid://board=free?wait=1s", model)
    assert re.fullmatch(
        r"No place with board=free became free within 1 s: free is in use by anna@desk since \d\d:\d\d\.", error.message
    )
    assert error.hint == "Ask who has it, or wait longer: add ?wait=1min to the address."
    assert not rack.anna.ask("reservations")
    with pytest.raises(TargetError, match=r"^No place with board=free is free: free is in use by anna@desk since "):
        device_cache("labgrid://board=free")  # which has nobody to report to while it waits
    rack.anna.ask("release", place="free")


@pytest.mark.parametrize(
    ("tags", "message", "hint"),
    [
        (
            "board=fre",
            "No place of the lab at {lab} has board=fre.",
            "There is board=bare, board=evil, board=free, board=gone, board=hung, board=inside, board=pi, board=plain.",
        ),
        ("bord=pi", "No place of the lab at {lab} has bord=pi.", "No place has a tag bord; there are: board, name, "),
        (
            "board=bare",
            "bare has no NetworkService, which says where the board's SSH server is (only NetworkPowerPort).",
            "Add one to the exporter's configuration, with address and username:",
        ),
        ("board=gone", "No exporter has the resources of gone just now.", "Start the exporter,"),
        (
            "board=inside",
            "The board of inside has the address fe80::1%eth1, on an interface of its exporter, out of ssh's reach.",
            "Give its NetworkService an address",
        ),
        (
            "board=evil",
            "The NetworkService of evil has no usable address: 'root@$(touch pwned)'.",
            "Correct it in the exporter's configuration",
        ),
    ],
)
def test_what_no_wait_would_bring_is_an_error_at_once(
    rack: Rack, model: Path, tags: str, message: str, hint: str
) -> None:
    error = refused(f"labgrid://{tags}", model)
    assert error.message == message.format(lab=rack.lab.address)
    assert error.hint.startswith(hint)


def test_a_coordinator_that_is_not_there_or_is_something_else(rack: Rack, model: Path) -> None:
    error = refused("labgrid://127.0.0.1:1/board=free", model)
    assert error.message.startswith("The labgrid coordinator at 127.0.0.1:1 cannot be reached: ")
    assert error.hint.endswith("labgrid-client -x 127.0.0.1:1 places")
    error = refused(f"labgrid://127.0.0.1:{rack.power.server.server_port}/board=free", model)
    assert "cannot be reached" in error.message


def test_a_reservation_that_somebody_cancels(rack: Rack, model: Path) -> None:
    rack.anna.ask("acquire", place="free")
    mine: list[str] = []

    def cancel(words: str) -> None:
        if words.startswith("waiting"):
            mine.extend(each["token"] for each in rack.anna.ask("reservations"))
            rack.anna.ask("cancel", token=mine[0])

    target = open_target(parse("labgrid://board=free"), profile())
    with pytest.raises(TargetError) as caught, target.launch(workload(model), cancel) as lines:
        events(lines)
    assert caught.value.message == "The reservation is gone: it was cancelled, or the coordinator was restarted."
    rack.anna.ask("release", place="free")


def test_a_place_that_is_taken_away_gives_no_result(rack: Rack, model: Path) -> None:
    target = open_target(parse("labgrid://board=free"), profile())
    with target.launch(workload(model, latency=QUICK), silent) as lines:
        assert rack.anna.ask("ReleasePlace", placename="free") is None
        rack.lab.boss.ask("cancel", token=rack.anna.ask("reservations")[0]["token"])
        rack.anna.ask("acquire", place="free")
        with pytest.raises(TargetError) as caught:
            events(lines)
    assert caught.value.message == "free was taken away during the check: anna@desk has it now."
    assert rack.anna.owner("free") == "desk/anna"
    rack.anna.ask("release", place="free")
    assert launched("labgrid://board=free", model)[-1]["event"] == "done"


def test_without_labgrid(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setitem(sys.modules, "labgrid", None)  # as if it were not there
    error = refused("labgrid://board=free", model)
    assert (error.message, error.hint) == ("labgrid is not installed here.", "pip install 'edgecheck-ml[labgrid]'")


def test_a_run_does_not_wait_for_itself(rack: Rack, model: Path) -> None:
    with releasing():
        launched("labgrid://board=free", model)
        error = refused("labgrid://name=free", model)
    assert error.message == "This run itself holds every place with name=free: free."


def test_a_board_says_what_it_is(rack: Rack) -> None:
    assert probe("labgrid://board=free")["machine"] == os.uname().machine


# A board that hangs.


def hasty(address: str) -> PlaceTarget:
    """A target that soon notices that a board is silent."""
    target = open_target(parse(address), profile())
    assert isinstance(target, PlaceTarget)
    target.patience = Patience(beat=0.2, silence=2, greeting=5, grace=1)
    return target


@pytest.fixture
def switched_off(rack: Rack) -> None:
    """The board that hangs is not there."""
    rack.power.switch("0")
    rack.power.switched.clear()


@pytest.mark.usefixtures("switched_off")
def test_a_dead_board_is_left_alone_unless_that_is_allowed(rack: Rack, model: Path) -> None:
    error = refused("labgrid://board=hung", model)
    assert "runs no SSH server" in error.message
    assert error.hint.endswith(
        "To let edgecheck switch a board off and on that does not answer, add ?power_cycle=allowed to the address."
    )
    assert rack.power.switched == []


@pytest.mark.usefixtures("switched_off")
def test_a_dead_board_is_switched_off_and_on_and_the_report_says_so(rack: Rack, model: Path) -> None:
    seen = launched("labgrid://board=hung?power_cycle=allowed", model)
    assert rack.power.switched == ["0", "1"]
    assert seen[-1]["event"] == "done"
    assert seen[1]["code"] == "power-cycled"
    assert "the board was switched off and on, and measured after that: hung (" in seen[1]["message"]
    assert "runs no SSH server" in seen[1]["message"]


def test_a_board_that_hangs_in_the_middle_runs_again(rack: Rack, model: Path) -> None:
    """sshd and all that it started are stopped: connections are accepted by the kernel, and nobody answers."""
    rack.power.switch("0")
    rack.power.switch("1")
    rack.power.switched.clear()
    target, frozen = hasty("labgrid://board=hung?power_cycle=allowed"), threading.Event()
    os.environ["EDGECHECK_SSH"] = f"{rack.board.ssh} -o ConnectTimeout=2"  # the fixture restores it

    def freeze(words: str) -> None:
        if words == "latency pass" and not frozen.is_set():
            frozen.set()
            rack.power.freeze()

    wanted = Needs(budget=budget((profile(), ())), limits=(limit("ram_peak", 1e12),))
    run = run_on(target, replace(ARTIFACT, path=model, files=(model,)), wanted, progress=freeze)
    assert rack.power.switched == ["0", "1"]
    assert frozen.is_set()
    assert (run.broken, [note.code for note in run.notes][:2]) == ("", ["place", "power-cycled"])
    assert "the connection to hung (" in run.notes[1].message


@pytest.mark.usefixtures("rack", "switched_off")
def test_a_place_without_a_power_driver(model: Path) -> None:
    error = refused("labgrid://board=plain?power_cycle=allowed", model)
    assert "runs no SSH server" in error.message
    assert error.hint.endswith("plain has no power driver by which labgrid could switch it off and on: do it by hand.")


@pytest.mark.usefixtures("switched_off")
def test_a_switch_that_does_not_work(rack: Rack, model: Path) -> None:
    rack.power.is_broken = True
    error = refused("labgrid://board=hung?power_cycle=allowed", model)
    assert error.message.startswith("labgrid could not power-cycle hung: ")
    assert "500" in error.message
    assert error.hint == f"Try it by hand: labgrid-client -x {rack.lab.address} -p hung power cycle"


def test_a_board_that_refuses_a_login_is_not_switched_off(rack: Rack, model: Path) -> None:
    rack.power.switch("1")
    keys = rack.hung.folder / "authorized_keys"
    kept = keys.read_text()
    keys.write_text("")
    try:
        error = refused("labgrid://board=hung?power_cycle=allowed", model)
    finally:
        keys.write_text(kept)
    assert "takes none of your keys" in error.message
    assert "0" not in rack.power.switched


# How edgecheck may end.


BUDGET = """\
model: small.onnx
bundle: system
measure: {min_time: 5 s, max_time: 300 s, deadline: 400 s}
limits: {latency_p50: 10 s}
devices: {raspberry-pi-4-2gb: , raspberry-pi-5-4gb: }
"""

#: Boards are used side by side, in threads.
SIDE_BY_SIDE = "targets: {raspberry-pi-4-2gb: 'labgrid://board=free', raspberry-pi-5-4gb: 'labgrid://name=near'}\n"


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A check that measures until it is ended."""
    identity(folder / "small.onnx")
    (folder / "b.yaml").write_text(BUDGET)
    (folder / "edgecheck.yaml").write_text(SIDE_BY_SIDE)
    argv = [EDGECHECK, "check", "b.yaml", *arguments]
    return subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def checking(folder: Path, rack: Rack, *arguments: str) -> subprocess.Popen[str]:
    """One that measures on a place."""
    process = started(folder, *arguments)
    assert comes_true(lambda: rack.board.processes("edgecheck_agent") or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    assert rack.anna.owner("free") == ME
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_however_it_ends_the_place_is_released(rack: Rack, tmp_path: Path, number: signal.Signals) -> None:
    process = checking(tmp_path, rack)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (-9 if number is signal.SIGKILL else 130)
    assert labs.is_free(rack.lab)


def test_an_interruption_while_waiting_cancels_the_reservation(rack: Rack, tmp_path: Path) -> None:
    rack.anna.ask("acquire", place="free")
    process = started(tmp_path, "--device", "raspberry-pi-4-2gb")
    assert comes_true(lambda: rack.anna.ask("reservations"))
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert comes_true(lambda: not rack.anna.ask("reservations"))
    rack.anna.ask("release", place="free")


def test_what_a_killed_keeper_held_is_released_by_the_next_run(rack: Rack, tmp_path: Path) -> None:
    """Whose report names the place."""
    process = checking(tmp_path, rack, "--device", "raspberry-pi-4-2gb")
    for victim in (*labs.keepers(tmp_path / "state"), psutil.Process(process.pid)):
        victim.kill()
    process.communicate()
    assert rack.anna.owner("free") == ME
    budget_file = tmp_path / "b.yaml"
    budget_file.write_text(BUDGET.replace("5 s", "0.1 s"))
    done = edgecheck(
        *("check", "b.yaml", "--device", "raspberry-pi-4-2gb", "--format", "json"),
        *("--target", "labgrid://board=free?wait=10s"),
        cwd=tmp_path,
    )
    (check,) = json.loads(done.out)["checks"]
    assert check["target"] == "labgrid://board=free?wait=10s"
    assert [each["message"] for each in check["caveats"] if each["code"] == "place"] == [
        f"Measured on free of the lab at {rack.lab.address}."
    ]


def test_the_doctor_mentions_a_lab_that_is_configured(rack: Rack, tmp_path: Path) -> None:
    done = edgecheck("doctor", cwd=tmp_path)
    assert f"Labs\n  ✔ labgrid  {rack.lab.address}, 9 places\n" in done.out
