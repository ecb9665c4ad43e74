"""Reads a worker's resident memory from outside at intervals: with psutil where it is available, else from /proc."""

import importlib
import sys
import time
from typing import Any, Callable, List, Optional, Tuple

from edgecheck_agent import procfs

BATCH = 50


class Sampler:
    """Samples of one process: `[seconds since it started, RSS]`, and the machine's MemAvailable with each.

    They end when the worker reaches the activity `until`: what is counted after that must not be disturbed.
    """

    def __init__(self, psutil: Any, worker: Any, interval_s: float, until: str) -> None:
        self.source = "psutil %s" % psutil.__version__ if psutil else "/proc"
        self._read = reader(psutil, worker.pid)
        self._started: float = worker.started
        self._until = until
        self._interval_s = interval_s
        self._samples: List[List[float]] = []
        self._available: List[Optional[int]] = []
        self.due: float = worker.started
        self.peak = 0

    def take(self) -> None:
        """Take a sample if it is due."""
        now = time.monotonic()
        if now < self.due:
            return
        rss = self._read()
        if rss:  # a process that has ended has none
            self._samples.append([round(now - self._started, 6), rss])
            self._available.append(procfs.available())
            self.peak = max(self.peak, rss)
        self.due = max(self.due + self._interval_s, now)

    def over(self, activity: str) -> bool:
        """Whether sampling is to end, now that the worker is at this activity."""
        return activity == self._until

    @property
    def full(self) -> bool:
        """Whether a batch is ready to be sent."""
        return len(self._samples) >= BATCH

    def batch(self) -> Tuple[List[List[float]], List[Optional[int]]]:
        """The samples since the last batch."""
        taken = self._samples, self._available
        self._samples, self._available = [], []
        return taken


def psutil_or_none(python_path: List[str]) -> Any:
    """The module psutil, from the bundle's folders or the system's; None where it is absent or does not work."""
    sys.path[:0] = python_path
    try:
        psutil = importlib.import_module("psutil")
        psutil.Process().memory_info()
    except Exception:  # noqa: BLE001 - one built for another machine may fail in any way
        return None
    return psutil


def reader(psutil: Any, pid: int) -> Callable[[], Optional[int]]:
    """A function that gives the process's RSS in bytes, or None once it has ended."""
    if psutil is None:
        return lambda: procfs.rss(pid)
    process = psutil.Process(pid)

    def by_psutil() -> Optional[int]:
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return None

    return by_psutil
