from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.checks.check import Check
from edgecheck.checks.perform import _first, in_order
from edgecheck.core.address import EMULATED
from tests.builders import budget, profile

#: Two devices have the same core.
CORES = {"a": "cortex-a72", "b": "cortex-a72", "c": "cortex-a76"}


def test_results_come_in_the_order_of_the_items() -> None:
    first_may_end = threading.Event()

    def run(item: str) -> str:
        if item == "slow":
            assert first_may_end.wait(30)
        else:
            first_may_end.set()
        return item.upper()

    assert list(in_order(["slow", "quick"], run, lambda item: item, {"slow": 1, "quick": 1})) == ["SLOW", "QUICK"]


def test_a_lane_is_as_wide_as_it_says() -> None:
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def run(_item: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait(30)  # passes only where two are in the lane at once
        with lock:
            running -= 1

    list(in_order(range(6), run, lambda _: "lane", {"lane": 2}))
    assert most == 2


def test_items_start_in_the_order_that_is_asked_for() -> None:
    started: list[int] = []
    in_lane = [3, 1, 2]

    def run(item: int) -> int:
        started.append(item)
        return item

    def largest(items: Sequence[int]) -> list[int]:
        return sorted(range(len(items)), key=lambda at: -items[at])

    found = list(in_order([*in_lane, 0], run, lambda item: "lane" if item else "alone", {"lane": 1}, largest))
    assert found == [*in_lane, 0]
    assert started == [3, 2, 1, 0]


def test_the_largest_model_is_first_and_a_run_that_another_check_does_is_last(tmp_path: Path) -> None:
    def check(name: str, device: str) -> Check:
        path = tmp_path / name
        path.write_bytes(bytes(len(name)))
        board = profile(device, emulation_cpu=CORES[device])
        whole = budget((board, ()))
        whole = replace(whole, model=replace(whole.model, path=path))
        (variant, *_) = whole.variants
        return Check(budget=whole, variant=variant, profile=board, limits=(), source="tflite", target=EMULATED)

    checks = [check("small", "a"), check("small", "b"), check("much-larger", "a"), check("larger", "c")]
    assert _first(checks) == [2, 3, 0, 1]


def test_what_must_be_alone_runs_in_the_calling_thread_after_the_others() -> None:
    done: list[tuple[str, bool]] = []

    def run(item: str) -> None:
        done.append((item, threading.current_thread() is threading.main_thread()))

    list(in_order(["alone", "shared"], run, lambda item: item, {"shared": 1}))
    assert done == [("shared", False), ("alone", True)]


@pytest.mark.parametrize("widths", [{}, {"other": 2}, {"lane": 1}])
def test_where_nothing_is_side_by_side_there_is_no_thread(widths: dict[str, int]) -> None:
    threads = in_order([1, 2], lambda _: threading.current_thread(), lambda _: "lane", widths)
    assert set(threads) == {threading.main_thread()}


def test_two_lanes_of_which_none_is_shared() -> None:
    assert list(in_order(["a", "b"], str.upper, lambda item: item, {"c": 1})) == ["A", "B"]


def test_nothing_to_do() -> None:
    assert list(in_order([], str.upper, str, {"lane": 2})) == []


def test_one_that_fails_does_so_where_its_result_is_due() -> None:
    def run(item: int) -> int:
        if item == 1:
            raise ValueError(item)
        return item

    results = in_order([0, 1, 2], run, lambda _: "lane", {"lane": 3})
    assert next(results) == 0
    with pytest.raises(ValueError, match="1"):
        next(results)


def test_leaving_early_ends_what_runs() -> None:
    started = threading.Event()
    processes: list[subprocess.Popen[bytes]] = []

    def run(item: int) -> int:
        if item == 0:
            assert started.wait(30)
            return 0
        process = subprocess.Popen(["sleep", "600"])
        processes.append(process)
        started.set()
        return process.wait()

    results = in_order([0, 1], run, lambda _: "lane", {"lane": 2})
    assert next(results) == 0
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)  # type: ignore[attr-defined] # a generator it is
    assert processes[0].returncode is not None
