"""JSON lines on stdout: one event per line, flushed, and never stuck on a host that has stopped reading."""

import json
import os
import select
import time
from typing import Any

from edgecheck_agent import watching

NOBODY_READS_S = 60.0


class Stdout:
    """Writes the supervisor's events."""

    def __init__(self, watch: watching.Watch) -> None:
        self._watch = watch

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event.

        Raises:
            watching.Stopped: nobody reads stdout any more.
        """
        self.relay(json.dumps(dict(event=event, **fields), allow_nan=False).encode() + b"\n")

    def relay(self, line: bytes) -> None:
        """Write a line that is already an event; raises as `emit` does."""
        rest = memoryview(line)
        give_up = time.monotonic() + NOBODY_READS_S
        while rest:
            _, ready = self._watch.wait([], [1], give_up)
            if ready:
                rest = rest[self._write(rest[: select.PIPE_BUF]) :]
                give_up = time.monotonic() + NOBODY_READS_S
            elif time.monotonic() >= give_up:
                raise watching.Stopped(watching.STOPPED)

    @staticmethod
    def _write(piece: memoryview) -> int:
        try:
            return os.write(1, piece)
        except OSError as gone:  # a closed pipe, or the disk that stdout goes to is full
            raise watching.Stopped(watching.STOPPED) from gone
