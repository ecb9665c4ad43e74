"""How long this process was ready to run and had no processor, and who else had them.

Linux counts the time for each thread (`/proc/PID/task/TID/schedstat`, in nanoseconds: Documentation/scheduler/
sched-stats.rst). Elsewhere it is what passed while the process did not run, if it was taken off its processor then.
"""

import contextlib
import importlib
import math
import os
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from edgecheck_agent import procfs, statistics

# Of an inference's time, what reading may take.
AFFORDABLE = 0.004
# The readings whose median is what one costs after an inference: that has taken the caches, and a reading is ten times
# as long as one after another.
_RECENT = 31
_TASKS = "/proc/self/task"
_TRIALS = 16
# Of the times in the first line of /proc/stat, in proc(5)'s order.
_IDLE = (3, 4)
_STOLEN = 7
_KINDS = 8


class Waits:
    """Reads the time that this process has waited for a processor; as a context manager it closes its files."""

    def __init__(self) -> None:
        self._files: Dict[str, int] = {}
        self._last = 0
        self._usage = _Usage()
        self.refresh()
        begun = time.perf_counter()
        for _ in range(_TRIALS):
            self.read()
        self._cost_s = (time.perf_counter() - begun) / _TRIALS
        self._after: List[float] = []

    def __enter__(self) -> "Waits":
        return self

    def __exit__(self, *_: object) -> None:
        while self._files:
            os.close(self._files.popitem()[1])

    def refresh(self) -> None:
        """Find the threads that have started, such as those of the runtime, and forget those that have ended."""
        try:
            threads = set(os.listdir(_TASKS))
        except OSError:
            return
        for gone in set(self._files) - threads:
            os.close(self._files.pop(gone))
        for thread in threads - set(self._files):
            with contextlib.suppress(OSError):
                self._files[thread] = os.open("%s/%s/schedstat" % (_TASKS, thread), os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> int:
        """Nanoseconds that all threads have waited, since some moment; never fewer than before."""
        if not self._files:
            return self._usage.waited()
        try:
            total = sum([int(os.pread(file, 64, 0).split()[1]) for file in self._files.values()])
        except (OSError, ValueError, IndexError):  # a thread has ended
            self.refresh()
            return self._last
        self._last = max(self._last, total)
        return self._last

    def read_after(self) -> int:
        """As `read`, after inferences; what that costs is kept for `apart`."""
        begun = time.perf_counter()
        waited = self.read()
        self._after.append(time.perf_counter() - begun)
        return waited

    def apart(self, inference_s: float) -> int:
        """How many inferences run between two readings, so that reading before and after them costs little."""
        self._after = self._after[-_RECENT:]
        cost_s = self._cost_s + (statistics.median(self._after) if self._after else self._cost_s)
        return max(1, math.ceil(cost_s / max(AFFORDABLE * inference_s, 1e-9)))


class _Usage:
    """The estimate for a system without schedstat."""

    def __init__(self) -> None:
        try:
            self._resource: Optional[Any] = importlib.import_module("resource")
        except ImportError:
            self._resource = None
        self._at, self._ran, self._switches = time.perf_counter(), time.process_time(), self.switches()
        self._waited = 0.0

    def switches(self) -> int:
        """How often the process was taken off a processor although it had more to do."""
        return int(self._resource.getrusage(self._resource.RUSAGE_SELF).ru_nivcsw) if self._resource else 0

    def waited(self) -> int:
        """Nanoseconds."""
        at, ran, switches = time.perf_counter(), time.process_time(), self.switches()
        if switches > self._switches:
            self._waited += max(0.0, (at - self._at) - (ran - self._ran))
        self._at, self._ran, self._switches = at, ran, switches
        return int(self._waited * 1e9)


class Account:
    """What the process and the machine's processors did since it was opened."""

    def __init__(self) -> None:
        self._usage = _Usage()
        self._begun = (time.process_time(), self._usage.switches(), processors())

    def so_far(self, waited_ns: int) -> Dict[str, Any]:
        """The `contention` of a look: seconds, counts, and shares of the machine's processor time (None: not known)."""
        ran, switches, machine = self._begun
        used = time.process_time() - ran
        stolen = others = None
        now = processors()
        if machine is not None and now is not None:
            every, idle = now.total - machine.total, now.idle - machine.idle
            taken = now.stolen - machine.stolen
            stolen = round(taken / every, 4) if every > 0 else 0.0
            others = round(max(0.0, every - idle - taken - used) / every, 4) if every > 0 else 0.0
        return {
            "waited_s": round(waited_ns / 1e9, 6),
            "processor_s": round(used, 6),
            "switches": self._usage.switches() - switches,
            "stolen": stolen,
            "others": others,
        }


class Processors(NamedTuple):
    """Seconds of all processors together."""

    total: float
    idle: float
    stolen: float  # by the host of a virtual machine


def processors() -> Optional[Processors]:
    """What the processors did since the machine started; None where that is not known."""
    names, *times = (procfs.text("/proc/stat").partition("\n")[0]).split() or [""]
    if names != "cpu" or len(times) < _KINDS:
        return None
    ticks = [int(one) / os.sysconf("SC_CLK_TCK") for one in times[:_KINDS]]
    return Processors(sum(ticks), sum([ticks[at] for at in _IDLE]), ticks[_STOLEN])


def pressure() -> Optional[float]:
    """Seconds in which some process of the machine waited for a processor (PSI, Linux 4.20)."""
    for line in procfs.text("/proc/pressure/cpu").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "some":
            return int(rest.rpartition("total=")[2]) / 1e6
    return None


def attributed(latencies: Sequence[int], waited: int) -> List[int]:
    """What each of these inferences waited, of the time that they waited together: the slowest the most."""
    if waited <= 0:
        return [0] * len(latencies)
    shares = [0] * len(latencies)
    for at in sorted(range(len(latencies)), key=latencies.__getitem__, reverse=True):
        shares[at] = min(latencies[at], waited)
        waited -= shares[at]
    return shares
