"""Which board takes a check, and what a check says about boards that were lost before.

Also covers `edgecheck/checks/perform.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import pytest

from edgecheck.checks.boards import ONE, Boards, Seat, doubts_of_boards, ensure_one_left, hand_on
from edgecheck.checks.check import Check
from edgecheck.checks.perform import _first, _lane, on_every_board, seated, with_preferred
from edgecheck.core.address import parse
from edgecheck.core.budget import Model, Variant
from edgecheck.core.caveats import Caveat
from edgecheck.core.report import LostBoard
from edgecheck.errors import BoardLostError, ConnectionLostError, TargetError
from tests.builders import budget, profile
from tests.reports.sample import EVERYTHING, SEEN, result

BOARDS = tuple(parse(f"ssh://pi@{name}") for name in "abc")
RACK = Boards(addresses=BOARDS)


def check(path: str = "b.yaml", variant: str = "as-is", boards: Boards = RACK) -> Check:
    board = profile()
    whole = replace(budget((board, ())), path=path, model=Model(PurePath("net.onnx")))
    return Check(
        budget=whole,
        variant=Variant(variant),
        profile=board,
        limits=(),
        source="onnx",
        target=BOARDS[0],
        boards=boards,
    )


def doubts_of(one: Check) -> list[Caveat]:
    return list(doubts_of_boards(one.boards, str(one.target)))


def test_a_check_runs_on_the_board_that_takes_it() -> None:
    lost = LostBoard(str(BOARDS[0]), "off")
    found = seated(check(), Seat(str(BOARDS[1]), (lost,), str(BOARDS[0])))
    assert (found.target, found.boards.lost, found.boards.moved_from) == (BOARDS[1], (lost,), str(BOARDS[0]))
    assert [one.code for one in doubts_of(found)] == ["board-lost", "board-changed"]
    assert doubts_of(check()) == []


def test_without_a_board_it_says_why_of_each() -> None:
    lost = tuple(LostBoard(str(board), f"{board.host} is off.") for board in BOARDS)
    nowhere = seated(check(), Seat("", lost))
    with pytest.raises(TargetError) as caught:
        ensure_one_left(nowhere.boards)
    assert caught.value.message == (
        "No board of this device is left. ssh://pi@a: a is off. ssh://pi@b: b is off. ssh://pi@c: c is off."
    )
    with pytest.raises(TargetError, match="2 boards were lost while this check ran"):
        ensure_one_left(seated(check(), Seat("", lost[:2])).boards)


def test_an_error_is_handed_on_where_there_are_other_boards() -> None:
    with pytest.raises(BoardLostError, match="gone") as caught:
        hand_on(RACK, ConnectionLostError("gone"))
    assert caught.value.midway
    with pytest.raises(BoardLostError) as caught:
        hand_on(RACK, TargetError("not there"))
    assert not caught.value.midway
    hand_on(ONE, TargetError("not there"))


def test_a_check_goes_to_the_board_of_its_baseline() -> None:
    before = replace(result(SEEN), target=str(BOARDS[2]))
    baseline = replace(EVERYTHING, results=(before,))
    same, other, alone = with_preferred([check(), check("other.yaml"), check(boards=ONE)], baseline)
    assert same.boards.preferred == str(BOARDS[2])
    assert (other.boards.preferred, alone.boards) == ("", ONE)
    gone = replace(EVERYTHING, results=(replace(before, target="ssh://pi@gone"),))
    assert with_preferred([check()], gone)[0].boards.preferred == ""
    (doubt,) = doubts_of(same)
    assert "The baseline was measured on ssh://pi@c, which could not be used." in doubt.message
    assert doubts_of(seated(same, Seat(str(BOARDS[2])))) == []


def test_every_board_may_do_every_check() -> None:
    found = on_every_board([check(), check(boards=ONE)])
    assert [str(each.target) for each in found] == [*map(str, BOARDS), "ssh://pi@a"]
    assert [each.boards.addresses for each in found] == [*((board,) for board in BOARDS), ()]


def test_variants_of_one_model_stay_together_and_count_together() -> None:
    checks = [check("a.yaml"), check("b.yaml"), check("b.yaml", "int8"), check("c.yaml")]
    lanes = [_lane(each) for each in checks]
    assert lanes[1] == lanes[2]
    assert len(set(lanes)) == 3
    assert _lane(check(boards=ONE)) == "ssh://pi@a"
    patient = replace(
        checks[3], budget=replace(checks[3].budget, effort=replace(checks[3].budget.effort, sustained=60))
    )
    assert _first([*checks[:3], patient]) == [3, 0, 1, 2]
