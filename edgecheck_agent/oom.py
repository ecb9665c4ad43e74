"""Whether the kernel's out-of-memory killer was at work: its own line, or its counters, before and after."""

import os
import re
from typing import Dict, List, Optional, Tuple

from edgecheck_agent import procfs

_RECORD = 8192  # no record of /dev/kmsg is longer


class Evidence:
    """What there was to see when it was made, to be compared with what there is when a process has been killed."""

    def __init__(self) -> None:
        self._log = _open_log()
        self._counts = counters()

    def found(self, pid: int) -> Optional[str]:
        """The kernel's line on the killing, or which counter went up; None where nothing speaks for it."""
        lines = [line for line in self._lines() if re.search(r"Killed process|oom-kill:|Out of memory", line)]
        ours = [line for line in lines if re.search(r"[Pp]rocess %d\b|pid=%d\b" % (pid, pid), line)]
        killed = [line for line in ours if "Killed process" in line] or ours
        if killed:
            return killed[-1]
        risen = [name for name, count in counters().items() if count > self._counts.get(name, count)]
        return "%s went up" % risen[0] if risen else None

    def close(self) -> None:
        """Let go of the kernel's log."""
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _lines(self) -> List[str]:
        lines: List[str] = []
        while self._log is not None:
            try:
                record = os.read(self._log, _RECORD)
            except BrokenPipeError:  # records were overwritten before they were read; the next read goes on
                continue
            except OSError:  # most of all: there are no more
                break
            lines.append(record.decode("utf-8", "replace").partition(";")[2].partition("\n")[0])
        return lines


def counters() -> Dict[str, int]:
    """The kernel's counts of such killings: in this process's memory cgroup, and on the whole machine."""
    found = {}
    for name, path in [*_cgroup_files(), ("oom_kill of /proc/vmstat", "/proc/vmstat")]:
        match = re.search(r"^oom_kill (\d+)$", procfs.text(path), re.MULTILINE)
        if match:
            found[name] = int(match.group(1))
    return found


def _cgroup_files() -> List[Tuple[str, str]]:
    files = []
    for line in procfs.text("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            files.append(("oom_kill of the cgroup", "/sys/fs/cgroup%s/memory.events" % path))
        elif controllers == "memory":
            files.append(("oom_kill of the cgroup", "/sys/fs/cgroup/memory%s/memory.oom_control" % path))
    return files


def _open_log() -> Optional[int]:
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(log, 0, os.SEEK_END)
    except OSError:
        return None
    return log
