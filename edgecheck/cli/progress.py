"""What a command is doing, on stderr: a line that changes on a terminal, and only long waits elsewhere."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from edgecheck.core.text import clean

if TYPE_CHECKING:
    from types import TracebackType

    from rich.status import Status

#: What is printed also where stderr is not a terminal: why nothing happens for minutes.
_LONG_WAITS = ("waiting for ", "cooling down ")


class Progress:
    """The progress of `total` checks; a context manager."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 1
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def show(self, words: str) -> None:
        """Show what the current check is doing; devices choose some of the words."""
        words = clean(words)
        if self._status is not None:
            self._status.update(f"[{self._number}/{self._total}] {words}".replace("[", r"\["))
        elif any(each in words for each in _LONG_WAITS):
            click.echo(f"[{self._number}/{self._total}] {words}", err=True)

    def next(self) -> None:
        """Go on to the next check."""
        self._number = min(self._number + 1, self._total)

    def stop(self) -> None:
        """Clear the line."""
        if self._status is not None:
            with suppress(OSError):
                self._status.stop()
            self._status = None
