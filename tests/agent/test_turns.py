"""Two checks on one device: the second waits, told by whom."""

from __future__ import annotations

import os
from pathlib import Path

from examples.real_models import fetch
from tests.agent.agent_runs import QUICK, Live, job, run

LONG = {**QUICK, "min_s": 600, "max_s": 600, "max_count": 10**9}


def short(lock: Path, **fields: object) -> dict[str, object]:
    return job(fetch("emotion_quantized.tflite"), load={"processes": 1}, lock=str(lock), **fields)


def test_the_second_waits_for_the_first_and_is_told_who_it_is(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    first = job(fetch("nmp.tflite"), latency=LONG, lock=str(lock), holder="anna@desk", watch_stdin=True)
    with Live(first) as one:
        one.until("start")
        with Live(short(lock)) as two:
            waiting = two.until("waiting")
            assert waiting["holder"] == f"anna@desk pid {one.process.pid}"
            one.hang_up()
            assert one.rest().code == 143
            told = two.rest()
    assert told.code == 0
    assert told.kinds[0] == "device"
    assert told.end["outcome"] == "completed"


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock))) as live:
        live.until("start")
        live.process.kill()
        live.process.wait(5)
        told = run(short(lock))
    assert told.of("waiting") == []
    assert told.code == 0


def test_without_a_holder_the_user_and_the_machine_are_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock))) as live:
        live.until("start")
        assert lock.read_text().endswith(f"@{os.uname().nodename} pid {live.process.pid}")


def test_waiting_has_an_end(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Live(job(fetch("nmp.tflite"), latency=LONG, lock=str(lock), holder="anna@desk")) as live:
        live.until("start")
        told = run(short(lock, lock_timeout_s=0.3))
    assert told.code == 2
    assert told.kinds == ["waiting", "problem"]
    (problem,) = told.of("problem")
    assert problem["code"] == "device-busy"
    assert problem["message"].startswith("the device was still in use by anna@desk pid ")


def test_a_place_where_no_lock_can_be_is_a_doubt(tmp_path: Path) -> None:
    told = run(short(tmp_path / "no" / "such" / "lock"))
    assert told.code == 0
    assert told.codes() == {"no-lock"}


def test_the_lock_names_nobody_once_it_is_free(tmp_path: Path) -> None:
    assert run(short(tmp_path / "lock")).code == 0
    assert (tmp_path / "lock").read_text() == ""
