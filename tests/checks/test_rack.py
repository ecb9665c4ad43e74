"""The rack's queues and workers, with boards that are names: who does what, and what becomes of a lost board."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import pytest

from edgecheck.checks.boards import Place, Seat
from edgecheck.checks.rack import MOST_LOST, Rack
from edgecheck.core.report import LostBoard
from edgecheck.errors import BoardLostError

ABC = ("a", "b", "c")
Seated = tuple[Any, Seat]


def pair(item: object, seat: Seat) -> Seated:
    return item, seat


def board_of(seated: Seated) -> str:
    return seated[1].board


def rack(*boards: str, when_lost: Callable[[LostBoard], None] = lambda _: None) -> Rack[Any]:
    return Rack(dict.fromkeys(boards, 1), pair, when_lost)


def test_every_board_of_a_device_takes_part_and_none_does_two_at_once() -> None:
    together, busy = threading.Barrier(3), dict.fromkeys(ABC, 0)

    def work(seated: Seated) -> str:
        board = board_of(seated)
        busy[board] += 1
        assert busy[board] == 1
        together.wait(30)  # passes only where all three are at work at once
        busy[board] -= 1
        return board

    with rack(*ABC) as boards:
        done = [boards.queue(Place(ABC)).submit(work, at) for at in range(6)]
    assert sorted(future.result() for future in done) == sorted(ABC * 2)


def test_the_queue_is_an_executor() -> None:
    with rack(*ABC) as boards:
        found = list(boards.queue(Place(ABC)).map(lambda seated: seated[0] * 2, range(5)))
    assert found == [0, 2, 4, 6, 8]
    with pytest.raises(RuntimeError, match="closed"):
        boards.queue(Place(ABC)).submit(board_of, 1)


def test_what_was_submitted_first_starts_first() -> None:
    started: list[int] = []
    with rack("a") as boards:
        for at in (3, 1, 2):
            boards.queue(Place(("a",))).submit(lambda seated: started.append(seated[0]), at)
    assert started == [3, 1, 2]


def test_a_group_stays_on_one_board_and_a_preferred_board_gets_its_items() -> None:
    def work(seated: Seated) -> str:
        time.sleep(0.002)
        return board_of(seated)

    with rack(*ABC) as boards:
        groups = [[boards.queue(Place(ABC, group)).submit(work, 0) for group in range(6)] for _ in range(3)]
        preferring = [boards.queue(Place(ABC, None, "b")).submit(work, 0) for _ in range(4)]
    assert {future.result() for future in preferring} == {"b"}
    for group in range(6):
        assert len({each[group].result() for each in groups}) == 1


def test_a_board_that_is_lost_hands_its_item_on_and_gets_no_other() -> None:
    lost: list[LostBoard] = []
    tried: list[tuple[str, int]] = []

    def work(seated: Seated) -> tuple[str, tuple[LostBoard, ...]]:
        item, seat = seated
        tried.append((seat.board, item))
        if seat.board == "b":
            raise BoardLostError("b is off", midway=True)
        time.sleep(0.002)
        return seat.board, seat.lost

    with rack(*ABC, when_lost=lost.append) as boards:
        futures = [boards.queue(Place(ABC, preferred="b" if at == 0 else "")).submit(work, at) for at in range(9)]
    results = [future.result() for future in futures]
    assert {board for board, _ in results} == {"a", "c"}
    assert [board for board, _ in tried].count("b") == 1
    handed_on = next(item for board, item in tried if board == "b")
    assert [each for _, each in results if each] == [(LostBoard("b", "b is off"),)]
    assert results[handed_on][1] == (LostBoard("b", "b is off"),)
    assert lost == [LostBoard("b", "b is off")]


def test_the_rest_of_a_group_moves_together_and_knows_from_where() -> None:
    def work(seated: Seated) -> tuple[str, str, int]:
        item, seat = seated
        if item == 1 and seat.board == "a":
            raise BoardLostError("a is off", midway=True)
        return seat.board, seat.moved_from, len(seat.lost)

    with rack("a", "b") as boards:
        futures = [boards.queue(Place(("a", "b"), "group", "a")).submit(work, at) for at in range(3)]
    assert [future.result() for future in futures] == [("a", "", 0), ("b", "a", 1), ("b", "a", 0)]


def test_without_a_board_everything_is_done_nowhere_with_the_reason_of_each() -> None:
    def work(seated: Seated) -> tuple[str, set[str]]:
        _, seat = seated
        if seat.board:
            raise BoardLostError(f"{seat.board} is off")
        return seat.board, {one.reason for one in seat.lost}

    with rack(*ABC) as boards:
        futures = [boards.queue(Place(ABC, at % 2)).submit(work, at) for at in range(6)]
        other = boards.queue(Place(("a",))).submit(work, 0)
    assert [future.result() for future in futures] == [("", {"a is off", "b is off", "c is off"})] * 6
    assert other.result() == ("", {"a is off"})


def test_boards_that_are_not_reached_do_not_count_against_an_item() -> None:
    names = tuple("abcdefg")

    def work(seated: Seated) -> str:
        _, seat = seated
        if seat.board != "g":
            raise BoardLostError("not there")
        return seat.board

    with rack(*names) as boards:
        queue = boards.queue(Place(names, "all", "a"))
        assert queue.submit(work, 0).result(30) == "g"


def test_an_item_with_which_many_boards_are_lost_is_not_handed_on() -> None:
    names = tuple("abcdefg")

    def work(seated: Seated) -> tuple[str, int]:
        item, seat = seated
        if item == "bad" and seat.board:
            raise BoardLostError("gone", midway=True)
        return seat.board, len(seat.lost)

    with rack(*names) as boards:
        bad = boards.queue(Place(names)).submit(work, "bad")
        assert bad.result(30) == ("", MOST_LOST)
        good = boards.queue(Place(names)).submit(work, "good")
        assert good.result(30)[0] in names


def test_an_error_is_raised_where_its_result_is_asked_for() -> None:
    def work(seated: Seated) -> int:
        return int(1 / seated[0])

    with rack("a") as boards:
        wrong, right = (boards.queue(Place(("a",))).submit(work, at) for at in (0, 1))
    assert right.result() == 1
    with pytest.raises(ZeroDivisionError):
        wrong.result()


def test_cancelling_starts_nothing_more_and_tells_the_threads() -> None:
    from edgecheck.interrupts import pause

    begun = threading.Event()
    ended: list[str] = []

    def work(seated: Seated) -> None:
        begun.set()
        try:
            pause(60)
        except KeyboardInterrupt:
            ended.append(board_of(seated))
            raise

    boards = rack("a")
    futures: list[Future[Any]] = [boards.queue(Place(("a",))).submit(work, at) for at in range(3)]
    assert begun.wait(30)
    boards.cancel()
    wait(futures[:1], 30)  # the others have not begun, and nothing waits for them
    assert ended == ["a"]
    assert [future.cancelled() for future in futures] == [False, True, True]
    boards.__exit__(None, None, None)


def test_a_cancelled_future_is_passed_over() -> None:
    go = threading.Event()
    with rack("a") as boards:
        queue = boards.queue(Place(("a",)))
        first, second, third = (queue.submit(lambda _: go.wait(30), at) for at in range(3))
        assert second.cancel()
        go.set()
    assert (first.result(), third.result()) == (True, True)
