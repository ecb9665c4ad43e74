"""The process that a place is held for, as the keeper sees it: a JSON object on each line, in both directions."""

from __future__ import annotations

import json
import os
import select
import signal
from contextlib import suppress
from typing import Any

#: What may be asked for while a place is held: to see to it that it still is, and to switch its board off and on.
ENSURE, CYCLE = "ensure", "cycle"


class GoneError(Exception):
    """The process that a place is held for has ended, or needs it no longer."""


class Parent:
    """That process, at the other end of stdin and stdout; SIGTERM counts as its end."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)  # what a library prints is not for the parent
        self._buffer = b""
        self._ended, ending = os.pipe()
        os.set_blocking(ending, False)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: _told(ending))

    def say(self, event: str, **facts: object) -> None:
        """Send it an event; nobody may be there to read it."""
        with suppress(BrokenPipeError):
            os.write(self._out, json.dumps({"event": event, **facts}).encode() + b"\n")

    def pause(self, seconds: float) -> str:
        """What it asks for within that time; empty: nothing.

        Raises:
            GoneError: as `line`.
        """
        return str(self.line(seconds).get("do", ""))

    def line(self, seconds: float | None) -> dict[str, Any]:
        """Its next line; empty where none comes in time.

        Raises:
            GoneError: it has ended, or asks for the end.
        """
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([0, self._ended], [], [], seconds)
            if not ready:
                return {}
            data = b"" if self._ended in ready else os.read(0, 1 << 16)
            if not data:
                raise GoneError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


def _told(pipe: int) -> None:
    with suppress(BlockingIOError):
        os.write(pipe, b".")
