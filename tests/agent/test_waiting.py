"""What the agent sees of waiting for a processor: from the kernel, by estimate, and under a real busy loop."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecheck.core import looks
from edgecheck_agent import counting, procfs, statistics, waiting

MS = 1_000_000
WAITING_NEEDS_LINUX = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="no schedstat here")


@pytest.mark.slow
@WAITING_NEEDS_LINUX
def test_two_processes_on_one_processor_wait_for_each_other() -> None:
    mine = os.sched_getaffinity(0)
    one = {min(mine)}
    os.sched_setaffinity(0, one)
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with waiting.Waits() as waits:
            account, before, until = waiting.Account(), waits.read(), time.monotonic() + 1.0
            while time.monotonic() < until:
                pass
            waited = waits.read() - before
            seen = account.so_far(waited)
    finally:
        loop.kill()
        loop.wait()
        os.sched_setaffinity(0, mine)
    assert 0.2e9 < waited < 2e9
    assert seen["waited_s"] == pytest.approx(waited / 1e9, abs=1e-5)
    assert 0 < seen["processor_s"] < 0.9
    assert seen["switches"] > 0
    assert 0 < seen["others"] <= 1


@WAITING_NEEDS_LINUX
def test_reading_costs_a_small_share_of_the_inferences_between_two_readings() -> None:
    with waiting.Waits() as waits:
        assert waits.apart(10.0) == 1
        assert waits.apart(1e-6) > waits.apart(1e-4) >= 1
        assert waits.read() <= waits.read()


def test_without_schedstat_the_time_off_a_processor_is_taken_for_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_TASKS", "/nowhere")
    with waiting.Waits() as waits:
        first = waits.read()
        time.sleep(0.01)
        assert waits.read() >= first >= 0
        assert waits.apart(0.1) == 1


def test_a_machine_without_proc_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs, "text", lambda _path: "")
    assert waiting.processors() is None
    assert waiting.pressure() is None
    seen = waiting.Account().so_far(5)
    assert (seen["stolen"], seen["others"]) == (None, None)


def test_what_a_group_waited_goes_to_its_slowest_and_never_exceeds_their_time() -> None:
    assert waiting.attributed([5, 9, 7], 0) == [0, 0, 0]
    assert waiting.attributed([5, 9, 7], 3) == [0, 3, 0]
    assert waiting.attributed([5, 9, 7], 12) == [0, 9, 3]
    assert waiting.attributed([5, 9, 7], 100) == [5, 9, 7]


def series(waiting_every: int, level_ms: float = 10, waited_ms: float = 40) -> tuple[list[int], list[int]]:
    waits = [int(waited_ms * MS) if waiting_every and at % waiting_every == 0 else 0 for at in range(1400)]
    return [int(level_ms * MS) + wait for wait in waits], waits


def report(bound_ms: float, latencies: list[int], waits: list[int], *, exact: bool = True) -> dict[str, object]:
    limit = looks.for_agent("p90", 0.9, bound_ms / 1e3, 30.0)
    span = max(sum(latencies), 31 * 10**9)
    return dict(counting.Looks([limit]).feed(latencies, span, [], counting.Waited(waits, exact))[0])


def test_a_fail_that_the_waiting_explains_is_not_one() -> None:
    latencies, waits = series(waiting_every=2)
    assert report(20, latencies, [])["decision"] == "fail"
    assert report(20, latencies, waits, exact=False)["decision"] == ""
    assert report(4, latencies, waits)["decision"] == "fail", "at over twice the limit, whatever it waited"
    assert report(8, latencies, waits)["decision"] == "", "cold caches and shared cores may explain it"


def test_a_pass_under_contention_stays_one() -> None:
    latencies, waits = series(waiting_every=2)
    assert report(60, latencies, waits, exact=False)["decision"] == "pass"


def test_those_that_never_waited_are_judged_by_themselves_where_there_are_enough() -> None:
    latencies, waits = series(waiting_every=5)
    found = report(20, latencies, waits)
    assert (found["decision"], found["n"], found["exceedances"], found["left_out"]) == ("pass", 1120, 0, 280)
    latencies, waits = series(waiting_every=2)
    assert report(20, latencies, waits)["decision"] == "", "700 are 35 blocks, and a pass takes 51"
    few = [max(wait, 10 * MS) if at % 100 else 0 for at, wait in enumerate(waits)]
    slower = [10 * MS + wait for wait in few]
    assert report(15, slower, few)["decision"] == ""


def test_those_that_never_waited_do_not_hide_that_the_long_ones_always_wait() -> None:
    """One in five takes 30 ms and waits; the others take 10 ms and never wait: p90 is beyond 20 ms."""
    waits = [5 * MS if at % 5 == 0 else 0 for at in range(1400)]
    latencies = [35 * MS if wait else 10 * MS for wait in waits]
    assert report(20, latencies, waits)["decision"] == ""


def test_a_little_waiting_on_an_idle_machine_changes_no_decision() -> None:
    latencies, waits = series(waiting_every=100, waited_ms=1)
    assert sum(waits) < statistics.CONTENDED * sum(latencies)
    assert report(9, latencies, waits)["decision"] == "fail"
    assert report(12, latencies, waits)["decision"] == "pass"
    assert report(12, latencies, waits)["left_out"] == 0
