"""Events as JSON lines, one per line: from the supervisor to the host, and from a worker to its supervisor.

The supervisor never gets stuck on a host that has stopped reading; a worker also reads its memory at each phase.
"""

import json
import os
import select
import time
from typing import Any

from edgecheck_agent import procfs, waiting, watching

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


class Report:
    """Where a worker's events go; `shares` is whether PSS and USS are read too, which takes milliseconds."""

    def __init__(self, descriptor: int, process: int, started: float, *, shares: bool) -> None:
        self._descriptor = descriptor
        self._process = process
        self._started = started
        self._shares = shares
        self._waits = waiting.Waits()

    def count_from(self, started: float) -> None:
        """Count the worker's time from this moment on: until then it only waited for its task."""
        self._started = started

    def send(self, event: str, **fields: Any) -> None:
        """Write one event; the supervisor is always reading."""
        line = json.dumps(dict(event=event, process=self._process, **fields), allow_nan=False)
        rest = line.encode() + b"\n"
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def phase(self, phase: str, **fields: Any) -> None:
        """Report that a boundary is reached: the time, and this process's memory."""
        at_s = time.monotonic() - self._started
        memory = procfs.own_memory()
        self._waits.refresh()
        waited_s = self._waits.read() / 1e9
        memory.update(procfs.own_shares() if self._shares else {"pss": None, "uss": None})
        self.send("phase", phase=phase, at_s=round(at_s, 6), waited_s=round(waited_s, 6), **memory, **fields)
