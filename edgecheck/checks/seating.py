"""Puts checks on boards: on the one that is free, on the one that measured the baseline, or on every one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edgecheck.checks.boards import Boards, Seat
from edgecheck.checks.check import Check
from edgecheck.core.report import Report


def seated(check: Check, seat: Seat) -> Check:
    """The check on the board that takes it; where none is left, one that says why it cannot run."""
    boards = replace(check.boards, lost=seat.lost, moved_from=seat.moved_from, is_without=not seat.board)
    target = next((each for each in boards.addresses if str(each) == seat.board), check.target)
    return replace(check, target=target, boards=boards)


def on_every_board(checks: Iterable[Check]) -> tuple[Check, ...]:
    """For each check of a device that has several boards, one on each of them; the others as they are."""
    return tuple(
        each
        for check in checks
        for each in (
            (replace(check, target=board, boards=Boards(addresses=(board,))) for board in check.boards.addresses)
            if check.boards.addresses
            else (check,)
        )
    )


def with_preferred(checks: Iterable[Check], baseline: Report) -> tuple[Check, ...]:
    """The checks, each on the board that measured it in the baseline, where that is still one of the device's."""
    measured: dict[tuple[str, ...], str] = {}
    for result in baseline.results:
        name = "" if result.tried else str(result.variant)
        where = (result.budget.path, result.budget.model.path.name, result.profile.id, name)
        measured[where] = result.target
    return tuple(_preferring(check, measured) for check in checks)


def _preferring(check: Check, measured: dict[tuple[str, ...], str]) -> Check:
    if not check.boards.addresses:
        return check
    name = "" if check.candidates else str(check.variant)
    where = (check.budget.path, check.budget.model.path.name, check.profile.id, name)
    board = measured.get(where, "")
    known = board in map(str, check.boards.addresses)
    return replace(check, boards=replace(check.boards, preferred=board)) if known else check
