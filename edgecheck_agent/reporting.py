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
        memory.update(procfs.own_shares() if self._shares else {"pss": None, "uss": None})
        self.send("phase", phase=phase, at_s=round(at_s, 6), **memory, **fields)
