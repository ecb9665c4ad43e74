"""What each board of a rack is doing, for whoever waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.core.report import LostBoard
from edgecheck.errors import BoardLostError

if TYPE_CHECKING:
    from edgecheck.checks.check import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of one board."""

    board: str
    """Its address."""
    device: str = ""
    check: str = ""
    """Model and variant; empty where the board has none."""
    words: str = ""
    """What is done, in a few words."""
    left: int = 0
    """Checks of the device that are not done."""
    lost: str = ""
    """Why the board gets no more checks; empty while it does."""


OnStep = Callable[[Step], None]


class Steps:
    """Reports the steps of checks: of those on a device with several boards, which board it is.

    Args:
        checks: All of them.
        progress: Called with a few words.
        on_step: Called instead, where a device has several boards; None: `progress` is, with the board's address.
    """

    def __init__(self, checks: Sequence[Check], progress: Callable[[str], None], on_step: OnStep | None) -> None:
        self._progress = progress
        self._told = on_step or self._in_words
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        for check in checks:
            self._left[check.profile.id] = self._left.get(check.profile.id, 0) + 1

    @contextmanager
    def of(self, check: Check) -> Iterator[Callable[[str], None]]:
        """What to call with a few words about each step of a check, which is over when the context is left."""
        if not check.boards.addresses or check.boards.is_without:
            yield self._progress
            self._over(check.profile.id)
            return
        board, device = str(check.target), check.profile.id
        name = f"{check.budget.model.path.name} · {check.variant}"

        def show(words: str) -> None:
            self._told(Step(board=board, device=device, check=name, words=words, left=self._left[device]))

        show("starting")
        try:
            yield show
        except BoardLostError:
            raise
        except BaseException:
            self._over(device)
            raise
        left = self._over(device)
        self._told(Step(board=board, device=device, left=left))

    def lost(self, board: LostBoard) -> None:
        """Report that a board gets no more checks."""
        self._told(Step(board=board.address, lost=board.reason))

    def _over(self, device: str) -> int:
        with self._lock:
            self._left[device] -= 1
            return self._left[device]

    def _in_words(self, step: Step) -> None:
        if step.lost:
            self._progress(f"{step.board} is left out: {step.lost}")
        elif step.check:
            self._progress(f"{step.board}: {step.check}: {step.words}")
