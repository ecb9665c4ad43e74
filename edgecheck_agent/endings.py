"""How a worker ended: what it said itself, what its exit status says, and what the kernel says of a killing."""

import json
import signal
from typing import Any, Dict, Optional

from edgecheck_agent import oom

# What a worker does between two of its phase events, by the event that it sent last.
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


class Seen:
    """What a worker's events have told so far.

    `ready` is whether it has loaded its runtime or given up; `overdue` is why it was ended, where it took too long.
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
        """Whether the worker has said how it went, so that all that is left to it is to end."""
        return self._finished is not None

    @property
    def phase(self) -> str:
        """What the worker is doing: start, runtime, load, first-inference, steady or exit."""
        return "exit" if self._finished else _ACTIVITY[self._boundary]

    def hear(self, line: bytes) -> bool:
        """Take in one line of the worker's; whether it is for the host too."""
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

    def end(self, status: int, tail: str, evidence: oom.Evidence, pid: int) -> Dict[str, Any]:
        """The `end` event; `status` is as of Popen.returncode."""
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
        elif status == -signal.SIGKILL:
            end.update(_killed(evidence.found(pid), during))
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


def _killed(evidence: Optional[str], during: str) -> Dict[str, Any]:
    if evidence:
        return {
            "outcome": "killed-for-memory",
            "reason": "out-of-memory",
            "message": "the kernel killed the process for memory %s (%s)" % (during, evidence),
        }
    return {
        "outcome": "killed",
        "message": "something killed the process (SIGKILL) %s; mostly that is the out-of-memory killer" % during,
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
