"""How a worker ended: from its own report, its exit status, and the kernel's record of out-of-memory kills."""

import json
import os
import re
import signal
from typing import Any, Dict, List, Optional, Tuple

from edgecheck_agent import android, procfs

# What a worker is doing, by the phase event that it sent last.
_ACTIVITY = {
    "": "start",
    "start": "runtime",
    "runtime-ready": "load",
    "model-loaded": "first-inference",
    "first-inference": "steady",
    "steady": "exit",
}
_DURING = {
    "start": "while Python started",
    "runtime": "while the runtime was loaded",
    "load": "while the model was loaded",
    "first-inference": "in the first inference",
    "steady": "in a later inference",
    "exit": "after its last result",
}


# No model or runtime sends itself one of these: they come from outside.
_FROM_OUTSIDE = frozenset((signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT))

# No record of /dev/kmsg is longer.
_RECORD = 8192


class Evidence:
    """Signs of the kernel's out-of-memory killer: its log lines, and its counters before and after.

    Made before a worker starts; `found` compares with that moment.
    """

    def __init__(self) -> None:
        self._log = _open_log()
        self._counts = counters()

    def found(self, pid: int) -> Optional[str]:
        """The kernel's line about the kill, or which counter went up; None if nothing points to it."""
        lines = [line for line in self._lines() if re.search(r"Killed process|oom-kill:|Out of memory", line)]
        ours = [line for line in lines if re.search(r"[Pp]rocess %d\b|pid=%d\b" % (pid, pid), line)]
        killed = [line for line in ours if "Killed process" in line] or ours
        if killed:
            return killed[-1]
        phones = android.killed(pid)
        if phones:
            return phones
        risen = [name for name, count in counters().items() if count > self._counts.get(name, count)]
        return "%s went up" % risen[0] if risen else None

    def close(self) -> None:
        """Close the kernel's log."""
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
            except OSError:  # usually because there are no more
                break
            lines.append(record.decode("utf-8", "replace").partition(";")[2].partition("\n")[0])
        return lines


def counters() -> Dict[str, int]:
    """The kernel's counts of out-of-memory kills: in this process's memory cgroup, and on the machine."""
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


class Seen:
    """What a worker's events have shown so far.

    `ready` is whether it has loaded its runtime or given up. `overdue` is why it was ended, if it took too long.
    """

    def __init__(self, process: int) -> None:
        self.process = process
        self.peak = 0
        self._boundary = ""
        self._advice = ""
        self._finished: Optional[Dict[str, Any]] = None
        self.ready = False
        self.overdue = ""

    @property
    def finished(self) -> bool:
        """Whether the worker has reported its outcome, so that it only has to exit."""
        return self._finished is not None

    @property
    def phase(self) -> str:
        """What the worker is doing: start, runtime, load, first-inference, steady or exit."""
        return "exit" if self._finished else _ACTIVITY[self._boundary]

    def hear(self, line: bytes) -> bool:
        """Take in one line from the worker. Returns whether it is for the host, too."""
        try:
            event = json.loads(line.decode())
            kind = event["event"]
        except (ValueError, KeyError, TypeError):  # a dying process wrote half a line
            return False
        if kind == "phase":
            self._boundary = event["phase"]
            self.peak = max(self.peak, event["hwm"] or 0)
        elif kind == "runtime":
            self.ready = True
        elif kind == "inputs":
            self._advice = event["advice"]
        elif kind == "finished":
            self._finished = event
            self.ready = True
        return bool(kind != "finished")

    def end(self, status: int, tail: str, evidence: Evidence, pid: int) -> Dict[str, Any]:
        """The fields of the `end` event; `status` is Popen's returncode."""
        end = {
            "process": self.process,
            "phase": self.phase,
            "reason": None,
            "signal": _signal_name(-status) if status < 0 else None,
            "exit_code": status if status >= 0 else None,
            "stderr_tail": tail,
        }
        during = _DURING[self.phase]
        if self.overdue:
            end.update(outcome="timeout", message="%s %s" % (self.overdue, during))
        elif self._finished and self._finished["outcome"] != "completed":
            end.update({name: self._finished[name] for name in ("outcome", "reason", "message")})
            end["phase"] = _ACTIVITY[self._boundary]
        elif -status in _FROM_OUTSIDE:
            found = evidence.found(pid) if status == -signal.SIGKILL else None
            end.update(_killed(_signal_name(-status), found, during))
        elif status != 0 or not self._finished:
            end.update(self._crashed(end, tail, during))
        else:
            end.update(outcome="completed", message="")
        return end

    def _crashed(self, end: Dict[str, Any], tail: str, during: str) -> Dict[str, Any]:
        how = "died of %s" % end["signal"] if end["signal"] else "ended with exit code %s" % end["exit_code"]
        if end["signal"] == "SIGILL":
            how = "used an instruction that this processor does not have (SIGILL)"
        message = "the process %s %s" % (how, during)
        if self._advice and end["phase"] in ("load", "first-inference"):
            return {
                "outcome": "refused",
                "reason": "open-dimension",
                "message": "%s (with 1 for what is open, %s)" % (self._advice, message),
            }
        no_memory = "bad_alloc" in tail or "MemoryError" in tail
        return {"outcome": "crashed", "reason": "out-of-memory" if no_memory else None, "message": message}


def _killed(name: str, evidence: Optional[str], during: str) -> Dict[str, Any]:
    if evidence:
        return {
            "outcome": "killed-for-memory",
            "reason": "out-of-memory",
            "message": "%s the process for memory %s (%s)" % (_killer(evidence), during, evidence),
        }
    return {
        "outcome": "killed",
        "message": "something killed the process (%s) %s, without a sign that memory ran out" % (name, during),
    }


def _killer(evidence: str) -> str:
    return "Android's low-memory killer ended" if "lowmemorykiller" in evidence else "the kernel killed"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
