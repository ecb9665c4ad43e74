"""What a command is doing, on stderr: on a terminal a line that changes or a row a board, else a line a minute."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

import click

from edgecheck.core.text import clean

if TYPE_CHECKING:
    from types import TracebackType

    from rich.live import Live
    from rich.status import Status
    from rich.table import Table

    from edgecheck.checks.steps import Step

#: What is printed at once also where stderr is not a terminal: why nothing happens for minutes.
_LONG_WAITS = ("waiting for ", "cooling down ")

#: Seconds between two lines of a log about what is being done. A check of ten seconds stays silent, also under load.
_EVERY = 60.0


class Progress:
    """The progress of `total` checks; a context manager."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 1
        self._status: Status | None = None
        self._begun = time.monotonic()
        self._step = ""
        self._rows = BoardRows(total)
        self._over = Event()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
        else:
            Thread(target=self._log, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if interrupted and self._step and time.monotonic() - self._begun >= _EVERY:
            _say(f"stopped at {self._step}")

    def show(self, words: str) -> None:
        """Show what the current check is doing; devices choose some of the words."""
        words = clean(words)
        self._step = f"[{self._number}/{self._total}] {words}"
        self._rows.other = self._step
        if self._status is not None:
            self._status.update(self._step.replace("[", r"\["))
        elif any(each in words for each in _LONG_WAITS):
            _say(self._step)

    def show_step(self, step: Step) -> None:
        """Show what a board of a rack is doing: a row for each on a terminal, elsewhere its line in the log."""
        self._rows.add(step, self._number - 1)
        if self._status is not None:
            self._status.stop()
            self._rows.start()
        elif step.lost or any(each in step.words for each in _LONG_WAITS):
            _say(f"[{self._number}/{self._total}] {_line_of(step)}")

    def next(self) -> None:
        """Go on to the next check."""
        self._number = min(self._number + 1, self._total)

    def stop(self) -> None:
        """Clear the line."""
        self._over.set()
        self._rows.stop()
        if self._status is not None:
            with suppress(OSError):
                self._status.stop()
            self._status = None

    def _log(self) -> None:
        """Every few seconds a line, if there is something new to say; of a rack, one for each board."""
        said = ""
        reported: set[str] = set()
        while not self._over.wait(_EVERY):
            step = self._step
            if step != said and not any(each in step for each in _LONG_WAITS):
                said = step
                _say(step)
            lines = self._rows.lines()
            for line in lines:
                if line not in reported:
                    _say(f"[{self._number}/{self._total}] {line}")
            reported = set(lines)


def _say(words: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads it any more
        click.echo(words, err=True)


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
        return [_line_of(step) for step in steps if step.check and not step.lost]

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


def _line_of(step: Step) -> str:
    """A step for a log."""
    board, check, words = _cells(step)
    return f"{board} is left out: {words}" if step.lost else f"{board}: {check}: {words}"


def _cells(step: Step) -> tuple[str, str, str]:
    """Board, check, and what is done; devices choose some of the words."""
    if step.lost:
        return clean(step.board), "left out", clean(step.lost)
    left = f" ({step.left} left of {step.device})" if step.device else ""
    return clean(step.board), clean(step.check), clean(f"{step.words or 'free'}{left}")
