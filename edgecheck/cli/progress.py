"""What a command is doing, on stderr: a line that changes on a terminal; elsewhere a line every minute."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

import click

from edgecheck.cli.board_rows import BoardRows, line_of
from edgecheck.core.text import clean

if TYPE_CHECKING:
    from types import TracebackType

    from rich.status import Status

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
            _say(f"[{self._number}/{self._total}] {line_of(step)}")

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
