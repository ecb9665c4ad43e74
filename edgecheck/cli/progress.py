"""What is going on, on stderr, where a person watches; silent where nobody does."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import TracebackType

    from rich.status import Status


#: What those who do not watch are told, too: why nothing comes for minutes.
_FOR_ALL = ("waiting for ", "cooling down ")


class Progress:
    """A line that changes, with the number of the check; a context manager."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._at = 1
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

    def tell(self, words: str) -> None:
        """Show what the current check is doing."""
        if self._status is not None:
            self._status.update(f"[{self._at}/{self._total}] {words}".replace("[", r"\["))
        elif any(each in words for each in _FOR_ALL):
            click.echo(f"[{self._at}/{self._total}] {words}", err=True)

    def next(self) -> None:
        """The current check is done."""
        self._at = min(self._at + 1, self._total)

    def stop(self) -> None:
        """Clear the line."""
        if self._status is not None:
            with suppress(OSError):
                self._status.stop()
            self._status = None
