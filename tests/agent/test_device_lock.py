"""Two checks on one device: the second waits, and learns for whom."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from edgecheck_agent import device_lock
from examples.real_models import fetch
from tests.agent.agent_runs import AGENT, QUICK, Live, job, run

LONG = {**QUICK, "min_s": 600, "max_s": 600, "max_count": 10**9}


def short(lock: Path | Literal[True], **fields: object) -> dict[str, object]:
    named = str(lock) if isinstance(lock, Path) else lock
    return job(fetch("emotion_quantized.tflite"), load={"processes": 1}, lock=named, **fields)


def test_the_second_waits_for_the_first_and_learns_who_it_is(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    first = job(fetch("nmp.tflite"), latency=LONG, lock=str(lock), holder="anna@desk", watch_stdin=True)
    with Live(first) as one:
        one.until("start")
        with Live(short(lock)) as two:
            waiting = two.until("waiting")
            assert waiting["holder"] == f"anna@desk pid {one.process.pid}"
            one.hang_up()
            assert one.rest().code == 143
            heard = two.rest()
    assert heard.code == 0
    assert heard.kinds[0] == "device"
    assert heard.end["outcome"] == "completed"


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock))) as live:
        live.until("start")
        live.process.kill()
        live.process.wait(5)
        heard = run(short(lock))
    assert heard.of("waiting") == []
    assert heard.code == 0


def test_without_a_holder_the_user_and_the_machine_are_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock))) as live:
        live.until("start")
        assert lock.read_text() == f"{getpass.getuser()}@{os.uname().nodename} pid {live.process.pid}"


def test_waiting_has_an_end(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock), holder="anna@desk")) as live:
        live.until("start")
        heard = run(short(lock, lock_timeout_s=0.3))
    assert heard.code == 2
    assert heard.kinds == ["waiting", "problem"]
    (problem,) = heard.of("problem")
    assert problem["code"] == "device-busy"
    assert problem["message"].startswith("the device was still in use by anna@desk pid ")


def test_a_place_where_no_lock_can_be_is_a_doubt(tmp_path: Path) -> None:
    heard = run(short(tmp_path / "no" / "such" / "lock"))
    assert heard.code == 0
    assert heard.codes() == {"no-lock"}


def test_the_lock_names_nobody_once_it_is_free(tmp_path: Path) -> None:
    assert run(short(tmp_path / "lock")).code == 0
    assert (tmp_path / "lock").read_text() == ""


def test_a_holder_cannot_drive_the_terminal_of_those_who_wait(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock))) as live:
        live.until("start")
        lock.write_text("\x1b[2Janna\nover\x07\u202e")
        heard = run(short(lock, lock_timeout_s=0.3))
    assert [each["holder"] for each in heard.of("waiting")] == ["[2Jannaover"]


def test_a_lock_that_is_removed_while_it_is_held_lets_nobody_share_the_new_one(tmp_path: Path) -> None:
    """Whoever clears /tmp does that; then each of two may hold a file of that name."""
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock), holder="anna@desk")) as one:
        one.until("start")
        with Live(short(lock, holder="ben@desk", watch_stdin=True)) as two:
            two.until("waiting")
            lock.unlink()
            with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock), holder="eve@desk")) as three:
                three.until("start")
                one.process.kill()
                assert two.until("waiting")["holder"] == f"eve@desk pid {three.process.pid}"


TRAPS: dict[str, Callable[[Path, Path], object]] = {
    "a link to a file": lambda lock, own: lock.symlink_to(own),
    "another name of a file": lambda lock, own: lock.hardlink_to(own),
    "a link to nothing": lambda lock, own: lock.symlink_to(own.with_name("nothing")),
    "a pipe": lambda lock, _own: os.mkfifo(lock),
    "a folder": lambda lock, _own: lock.mkdir(),
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_what_another_has_laid_out_in_its_place_is_a_doubt_and_not_written_to(
    tmp_path: Path, trap: Callable[[Path, Path], object]
) -> None:
    lock, own = tmp_path / "lock", tmp_path / "diary"
    own.write_text("dear diary")
    trap(lock, own)
    heard = run(short(lock))
    assert heard.code == 0
    (note,) = heard.of("note")
    assert note["code"] == "no-lock"
    assert str(lock) in note["message"]
    assert own.read_text() == "dear diary"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary", "lock"]


_AS_ANOTHER = """
import contextlib, os, sys
sys.path.insert(0, sys.argv[1])
from edgecheck_agent import device_lock, events, jobs, watching
os.umask(0o077)
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[3]))
watch = watching.Watch()
out = events.Stdout(watch)
job = {"lock": sys.argv[2], "holder": "account " + sys.argv[3], "deadline_s": 600, "lock_timeout_s": float(sys.argv[4])}
try:
    with device_lock.taken(job, watch, out):
        out.emit("has-it")
        watch.follow_stdin(None)
        while True:
            watch.wait([])
except watching.Stopped:
    out.emit("stopped")
except jobs.BadJob as bad:
    out.emit("problem", message=bad.message)
"""


def account(lock: Path, number: int, patience_s: float) -> subprocess.Popen[str]:
    """What another user of this machine does until its stdin is closed."""
    argv = [sys.executable, "-c", _AS_ANOTHER, str(AGENT.parent), str(lock), str(number), str(patience_s)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.skipif(os.getuid() != 0, reason="becomes other users, which takes root")
def test_accounts_of_one_device_wait_for_each_other() -> None:
    """In a sticky folder, where the kernel lets nobody, not even root, create what another owns already."""
    with tempfile.TemporaryDirectory(prefix="edgecheck-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        lock = folder / "lock"
        with account(lock, 12345, 60) as anna:
            assert json.loads(said_by(anna)) == {"event": "has-it"}
            assert lock.stat().st_uid == 12345
            with account(lock, 23456, 60) as ben, account(lock, 0, 0.5) as root:
                waiting = {"event": "waiting", "holder": f"account 12345 pid {anna.pid}"}
                assert json.loads(said_by(ben)) == waiting
                assert json.loads(said_by(root)) == waiting
                assert f"still in use by account 12345 pid {anna.pid} after 0.5 s" in root.communicate()[0]
                anna.communicate("")
                assert json.loads(said_by(ben)) == {"event": "has-it"}
                assert lock.read_text() == f"account 23456 pid {ben.pid}"
                ben.communicate("")
        lock.chmod(0o644)  # its owner may; a lock takes no more than reading
        with account(lock, 23456, 60) as ben:
            assert json.loads(said_by(ben)) == {"event": "has-it"}
            with account(lock, 12345, 0.3) as anna:
                assert json.loads(said_by(anna)) == {"event": "waiting", "holder": "another check"}
            ben.communicate("")


def test_a_job_that_names_no_file_takes_the_devices_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_lock.lock_path(wanted="/a/lock") == "/a/lock"
    monkeypatch.setenv("EDGECHECK_LOCK", str(tmp_path / "of-the-device"))
    assert run(short(lock=True)).code == 0
    assert (tmp_path / "of-the-device").stat().st_mode & 0o777 == 0o666
    monkeypatch.delenv("EDGECHECK_LOCK")
    assert device_lock.lock_path(wanted=True) == "/tmp/edgecheck-measuring.lock"
