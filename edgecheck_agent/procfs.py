"""A process's memory as the kernel reports it in /proc/PID/status, smaps_rollup, stat and statm, in bytes."""

import importlib
import os
import re
from typing import Dict, Optional

PAGE = os.sysconf("SC_PAGE_SIZE")

# Where a container has mounted the device's root, as in /host; what it hides of the device is read from there.
SYSTEM_ROOT = os.environ.get("EDGECHECK_SYSTEM_ROOT", "/")

_LINE = re.compile(r"^(\w[\w()]*): +(\d+) kB$", re.MULTILINE)
_MAJOR_FAULTS = 9  # the place of majflt after the command's closing bracket; see proc(5)


def place(path: str) -> str:
    """Where a file of the device's system is to be found."""
    return os.path.join(SYSTEM_ROOT, path.lstrip("/"))


def named(place: str) -> str:
    """What the device's system calls a file that is below `SYSTEM_ROOT`; any other keeps its name."""
    root = SYSTEM_ROOT.rstrip("/") + "/"
    return place[len(root) - 1 :] if place.startswith(root) else place


def text(path: str) -> str:
    """The file's text without its closing newline or NUL; "" where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def sizes(path: str) -> Dict[str, int]:
    """The `Name: 123 kB` lines of a /proc file, in bytes; empty if the file is missing."""
    return {name: int(kib) * 1024 for name, kib in _LINE.findall(text(path).replace("\t", " "))}


def rss(pid: int) -> Optional[int]:
    """Resident bytes of another process now, or None if it has ended."""
    _size, _, rest = text("/proc/%d/statm" % pid).partition(" ")
    return int(rest.split()[0]) * PAGE if rest else None


def available() -> Optional[int]:
    """MemAvailable of the machine now: its drop also shows what a GPU takes of shared memory.

    It is read with every sample, every 10 ms: reading all lines would take seven times as long.
    """
    _before, _, after = text("/proc/meminfo").partition("MemAvailable:")
    return int(after.split(None, 1)[0]) * 1024 if after else None


def own_memory() -> Dict[str, Optional[int]]:
    """This process's rss, hwm (its peak so far), swap and major faults; None for what this kernel does not report.

    The peak is VmHWM: `ru_maxrss` would hold the parent's peak too, through exec.
    """
    status = sizes("/proc/self/status")
    if not status:
        return without_proc()
    stat = text("/proc/self/stat").rpartition(")")[2].split()
    return {
        "rss": status.get("VmRSS"),
        "hwm": status.get("VmHWM"),
        "swap": status.get("VmSwap"),
        "major_faults": int(stat[_MAJOR_FAULTS]) if stat else None,
    }


def without_proc() -> Dict[str, Optional[int]]:
    """The same on a system without /proc: from psutil if it is installed, which has no peak."""
    try:
        rss_now = int(importlib.import_module("psutil").Process().memory_info().rss)
    except ImportError:
        return dict.fromkeys(("rss", "hwm", "swap", "major_faults"))
    return {"rss": rss_now, "hwm": None, "swap": None, "major_faults": None}


def own_shares() -> Dict[str, Optional[int]]:
    """This process's pss and uss. `smaps_rollup` (Linux 4.14) walks the page tables and takes milliseconds."""
    rollup = sizes("/proc/self/smaps_rollup")
    uss = rollup["Private_Clean"] + rollup["Private_Dirty"] if rollup else None
    return {"pss": rollup.get("Pss"), "uss": uss}
