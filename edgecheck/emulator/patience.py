"""How long edgecheck waits for QEMU: by what QEMU could have done, not by a clock on the wall.

On a busy host QEMU often waits for a processor. That time does not count, up to a generous end.
"""

from __future__ import annotations

import time
from pathlib import Path

import psutil

#: The end on the wall: this many times the time allowed.
_STARVED = 10.0


class Patience:
    """The time that a started QEMU is allowed, without the time that it was kept from a processor.

    Args:
        seconds: The time allowed.
        pid: QEMU's process.
    """

    def __init__(self, seconds: float, pid: int) -> None:
        self._seconds = seconds
        self._pid = pid
        self._began = time.monotonic()
        self._waited_before = _waited(pid) or 0.0
        self._waited = 0.0

    def remaining(self) -> float:
        """Seconds until the time can be up at the earliest, never below zero; later it may be up even later."""
        wall = time.monotonic() - self._began
        allowed = self._seconds - (wall - self._kept_waiting(wall))
        return max(0.0, min(allowed, self._seconds * _STARVED - wall))

    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining() == 0.0

    def account(self) -> str:
        """How much of the time since the start QEMU waited for a processor, as the end of a sentence."""
        wall = time.monotonic() - self._began
        waited = self._kept_waiting(wall)
        if waited < wall / 10:
            return f"after {wall:.0f} s"
        return f"after {wall:.0f} s, of which QEMU waited {waited:.0f} s for a processor of this busy host"

    def _kept_waiting(self, wall: float) -> float:
        """Seconds; those of an ended process are as they were last seen."""
        waited = _waited(self._pid)
        if waited is not None:
            self._waited = min(max(self._waited, waited - self._waited_before), wall)
        return self._waited


def _waited(pid: int) -> float | None:
    """Seconds that the busiest thread of a process was ready to run and did not; None if that is unknown.

    Linux has it in schedstat (Documentation/scheduler/sched-stats): nanoseconds on a processor, and nanoseconds of
    waiting for one. Elsewhere the time that QEMU was not on a processor is taken for it, which is generous.
    """
    found = [_schedstat(path) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    known = [each for each in found if each is not None]
    if known:
        return max(known)[1]
    return _off_processor(pid)


def _schedstat(path: Path) -> tuple[float, float] | None:
    try:
        running, waiting = path.read_text(encoding="ascii").split()[:2]
    except (OSError, ValueError):  # the thread ended
        return None
    return int(running) / 1e9, int(waiting) / 1e9


def _off_processor(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return max(0.0, time.time() - process.create_time() - times.user - times.system)
    except psutil.Error:
        return None
