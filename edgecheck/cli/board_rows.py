"""What each board of a rack is doing, as rows that change: for `Progress` on a terminal."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from edgecheck.core.text import clean

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from edgecheck.checks.steps import Step

#: The most rows: those of boards that had news last; a window is rarely higher.
MOST_ROWS = 30


class BoardRows:
    """The last step of each board.

    Args:
        total: How many checks there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._steps: dict[str, Step] = {}
        self._lock = threading.RLock()  # a new display asks for its rows at once
        self._live: Live | None = None
        #: What is done elsewhere than on boards of a rack.
        self.other = ""

    def add(self, step: Step, done: int) -> None:
        """Take a step, also from other threads; `done` is the number of checks that are done."""
        with self._lock:
            before = self._steps.get(step.board)
            if before is None or not before.lost:
                self._steps.pop(step.board, None)  # the last with news is the last
                self._steps[step.board] = step
            self._done = done

    def lines(self) -> list[str]:
        """A line for each board that has something to do; that one is left out was said at once."""
        with self._lock:
            steps = [*self._steps.values()]
        return [line_of(step) for step in steps if step.check and not step.lost]

    def start(self) -> None:
        """Show them on stderr, which is a terminal, from now on; also from several threads at once."""
        with self._lock:
            if self._live is not None:
                return
            self._live = self._new()
        self._live.start()

    def _new(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        return Live(
            get_renderable=self._table,
            console=console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )

    def stop(self) -> None:
        """Clear them."""
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()
            self._live = None

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            steps, done = [*self._steps.values()], self._done
        table = Table.grid(padding=(0, 2))
        for at in range(3):
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=(2, 2, 3)[at])
        for step in sorted(steps[-MOST_ROWS:], key=lambda step: step.board):
            table.add_row(*(Text(cell, style="yellow" if step.lost else "") for cell in _cells(step)))
        hidden = f", {len(steps) - MOST_ROWS} more boards" if len(steps) > MOST_ROWS else ""
        table.add_row(Text(f"{done} of {self._total} done{hidden}", style="dim"), "", Text(self.other, style="dim"))
        return table


def line_of(step: Step) -> str:
    """A step for a log."""
    board, check, words = _cells(step)
    return f"{board} is left out: {words}" if step.lost else f"{board}: {check}: {words}"


def _cells(step: Step) -> tuple[str, str, str]:
    """Board, check, and what is done; devices choose some of the words."""
    if step.lost:
        return clean(step.board), "left out", clean(step.lost)
    left = f" ({step.left} left of {step.device})" if step.device else ""
    return clean(step.board), clean(step.check), clean(f"{step.words or 'free'}{left}")
