"""Big and little cores: which of them a check runs on, and holding it there."""

import contextlib
import os
import re
from typing import Any, Dict, Iterator, List, Set

from edgecheck_agent import android, events, jobs, procfs

CPUS = "/sys/devices/system/cpu"

_GHZ = 1e6  # kilohertz


@contextlib.contextmanager
def held(job: Dict[str, Any], out: events.Stdout, folder: str = CPUS) -> Iterator[None]:
    """Stay on the job's cluster while the context lasts, on a phone on the big one unless the job names another.

    What it is goes through `out` as a note.

    Raises:
        jobs.BadJob: the device has no such cluster.
    """
    name = job["cluster"] or ("big" if android.is_here() else "any")
    if name == "any" or not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    groups = found(allowed, folder)
    cores = chosen(name, job["threads"], groups)
    try:
        if len(groups) > 1:
            os.sched_setaffinity(0, cores)
            out.emit("note", code="cluster", message="ran on the %s cores: %s" % (name, described(cores, folder)))
        elif job["cluster"]:
            out.emit("note", code="cluster", message="its cores are all alike: they are the %s ones" % name)
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def found(allowed: Set[int], folder: str = CPUS) -> List[List[int]]:
    """The allowed cores in groups of equal speed, the slowest first."""
    speeds: Dict[int, List[int]] = {}
    for core in sorted(allowed):
        speeds.setdefault(_speed(core, folder), []).append(core)
    return [speeds[speed] for speed in sorted(speeds)]


def chosen(name: str, threads: int, groups: List[List[int]]) -> Set[int]:
    """The cores of a cluster: the big one grows by the next slower group until each thread has a core.

    Raises:
        jobs.BadJob: there is no such cluster.
    """
    if name == "little" or len(groups) == 1:
        return set(groups[0])
    if name == "middle":
        if not groups[1:-1]:
            raise jobs.BadJob("no-cluster", "the device has no middle cores: it has %d kinds" % len(groups))
        return {core for group in groups[1:-1] for core in group}
    cores: Set[int] = set()
    for group in reversed(groups):
        cores |= set(group)
        if len(cores) >= threads:
            break
    return cores


def described(cores: Set[int], folder: str = CPUS) -> str:
    """The cores with their highest clocks: `4-7 (2.37 GHz), 8 (2.91 GHz)`."""
    by_clock: Dict[str, List[int]] = {}
    for core in sorted(cores):
        by_clock.setdefault(procfs.text("%s/cpu%d/cpufreq/cpuinfo_max_freq" % (folder, core)), []).append(core)
    words = []
    for clock, group in by_clock.items():
        several = group[-1] - group[0] + 1 == len(group) > 1
        numbers = "%d-%d" % (group[0], group[-1]) if several else ", ".join(map(str, group))
        words.append("%s (%.2f GHz)" % (numbers, int(clock) / _GHZ) if clock.isdigit() else numbers)
    return ", ".join(words)


def _speed(core: int, folder: str) -> int:
    """What the kernel's scheduler calls the capacity of a core; else its highest clock; 0 where neither is known."""
    for file in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        text = procfs.text("%s/cpu%d/%s" % (folder, core, file))
        if re.match(r"\d+$", text):
            return int(text)
    return 0
