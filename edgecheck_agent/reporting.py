"""The worker's pipe to the supervisor: events as JSON lines, and the memory read at each phase boundary."""

import json
import os
import time
from typing import Any

from edgecheck_agent import procfs


class Report:
    """Where a worker's events go; `shares` is whether PSS and USS are read too, which takes milliseconds."""

    def __init__(self, descriptor: int, process: int, started: float, *, shares: bool) -> None:
        self._descriptor = descriptor
        self._process = process
        self._started = started
        self._shares = shares

    def count_from(self, started: float) -> None:
        """From here on the worker's time counts from this moment, since it has waited for nothing but its task."""
        self._started = started

    def send(self, event: str, **fields: Any) -> None:
        """Write one event; the supervisor's end is always being read."""
        line = json.dumps(dict(event=event, process=self._process, **fields), allow_nan=False)
        rest = line.encode() + b"\n"
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def phase(self, phase: str, **fields: Any) -> None:
        """A boundary has been reached: say when, and what memory this process has there."""
        at_s = time.monotonic() - self._started
        memory = procfs.own_memory()
        memory.update(procfs.own_shares() if self._shares else {"pss": None, "uss": None})
        self.send("phase", phase=phase, at_s=round(at_s, 6), **memory, **fields)
