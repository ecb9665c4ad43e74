"""Holds the device's clock for a check, and puts everything back afterwards, however the check ends.

    pinning.py RECORD < UNDO      started by `pinned`

What is changed is restored by a guard, a separate process that waits until the supervisor is gone. If the guard is
killed as well, its record is found by the next check there. After a restart of the device nothing is left to restore.
"""

import contextlib
import glob
import json
import os
import re
import signal
import stat
import subprocess
import sys
from typing import Any, Dict, Iterator, List, Optional

if not __package__:  # started as a file: import its package, as supervisor.py does
    _FOLDER = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != _FOLDER]
    sys.path.insert(0, os.path.dirname(_FOLDER))

from edgecheck_agent import android, device_lock

# Clocks by group of cores: the kernel's.
CPUFREQ = "/sys/devices/system/cpu/cpufreq"
# Next to the lock, so that every check of the account finds it; opened without following links, and only if it is one's
# own.
RECORD = "edgecheck-pinned-%d.json"

_GOVERNOR = "scaling_governor"
_STEADY = "performance"
_TOOL_S = 10.0
_FOLDERS = ("/usr/bin", "/usr/sbin", *android.FOLDERS)
# A Jetson's first mode: without a limit on power on most, with 15 W on an Orin Nano.
_FULL_POWER = "0"


@contextlib.contextmanager
def pinned(threads: int, out: Any, folder: str = CPUFREQ, record: str = "") -> Iterator[None]:
    """Restore what a killed check left behind, and hold clock and cores for `threads` while the context lasts.

    For 0 threads nothing is held but what every check of a phone asks for. What was done, and what could not be, is
    sent through `out` as notes.
    """
    record = record or os.path.join(os.path.dirname(device_lock.lock_path(None)), RECORD % os.getuid())
    _restore_left(folder, record)
    plan = [*android.plan(), *(_planned(folder) if threads else [])]
    if not threads and not plan:
        yield
        return
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    guard = _Guard(plan, record) if plan else None
    try:
        done, refused = _applied(plan)
        done += _held_cores(cores, threads) if threads else []
        if done:
            out.emit("note", code="pinned", message="held for this check: %s" % ", ".join(done))
        for code, message in refused:
            out.emit("note", code=code, message=message)
        if not plan and not _governors(folder):
            out.emit("note", code="no-clock-control", message="the kernel gives no control of the clock here")
        yield
    finally:
        if cores is not None:
            os.sched_setaffinity(0, cores)
        if guard is not None:
            guard.restore()


def _planned(folder: str) -> List[Dict[str, Any]]:
    """What to change: each with how to do it, how to undo it, and its name in a sentence."""
    plan = []
    for path in _governors(folder):
        now = _text(path)
        if now and now != _STEADY:
            name = "governor %s (was %s)" % (_STEADY, now)
            plan.append({"path": path, "value": _STEADY, "undo": {"path": path, "value": now}, "name": name})
    mode = re.search(r"^(\d+)\s*$", _said("nvpmodel", "-q"), re.MULTILINE)
    if mode and mode.group(1) != _FULL_POWER:
        undo = {"command": ["nvpmodel", "-m", mode.group(1)]}
        name = "power mode %s (was %s)" % (_FULL_POWER, mode.group(1))
        plan.append({"command": ["nvpmodel", "-m", _FULL_POWER], "undo": undo, "name": name})
    if _found("jetson_clocks"):
        kept = "/tmp/edgecheck-jetson-clocks-%d" % os.getpid()  # noqa: S108 - the tool writes it as root
        undo = {"command": ["jetson_clocks", "--restore", kept]}
        before = ["jetson_clocks", "--store", kept]
        plan.append({"before": before, "command": ["jetson_clocks"], "undo": undo, "name": "jetson_clocks"})
    return plan


def _governors(folder: str) -> List[str]:
    return sorted(glob.glob(os.path.join(folder, "policy*", _GOVERNOR)))


def _applied(plan: List[Dict[str, Any]]) -> Any:
    """Do it. Returns the names of what was done, each once, and code and sentence of each thing that was refused."""
    done, refused = [], []
    for step in plan:
        problem = _ran(step["before"]) if "before" in step else ""
        problem = problem or _did(step)
        if problem:
            refused.append((step.get("code", "not-pinned"), "%s could not be set: %s" % (step["name"], problem)))
        else:
            done.append(step["name"])
    return list(dict.fromkeys(done)), list(dict.fromkeys(refused))


def _did(step: Dict[str, Any]) -> str:
    """Do or undo one thing. Returns why it could not be done; empty if it was."""
    if "command" in step:
        return _ran(step["command"])
    try:
        with open(step["path"], "w") as file:
            file.write(step["value"])
    except OSError as error:
        if _found("sudo") is None:
            return str(error.strerror)
        return _ran(["tee", step["path"]], step["value"])
    return ""


def _ran(command: List[str], given: str = "") -> str:
    """Run a command, as root if it needs that and no password. Returns why it failed; empty if it did not."""
    path = _found(command[0])
    if path is None:
        return "there is no %s" % command[0]
    argv = [path, *command[1:]]
    if os.getuid() != 0 and command[: len(android.FIXED)] != android.FIXED:
        argv = ["sudo", "-n", *argv]
    try:
        done = subprocess.run(
            argv,
            input=given.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TOOL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return (said[-1] if said else "it ended with exit code %d" % done.returncode) if done.returncode else ""


def _held_cores(allowed: Any, threads: int) -> List[str]:
    """Stay on the fastest cores, where cores differ and there are enough of them; what that is in words."""
    clocks = {core: _text("/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq" % core) for core in allowed or ()}
    fastest = max((int(clock) for clock in clocks.values() if clock.isdigit()), default=0)
    chosen = {core for core, clock in clocks.items() if clock.isdigit() and int(clock) == fastest}
    if not threads <= len(chosen) < len(clocks):
        return []
    os.sched_setaffinity(0, chosen)
    return ["cores %s" % ", ".join(map(str, sorted(chosen)))]


class _Guard:
    """The process that restores; it is there before anything is changed."""

    def __init__(self, plan: List[Dict[str, Any]], record: str) -> None:
        undo = json.dumps([step["undo"] for step in reversed(plan)])
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), record],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - a pipe was requested
        assert self._process.stdout is not None  # noqa: S101 - as above
        self._process.stdin.write(undo.encode() + b"\n")
        self._process.stdout.read(1)  # it has written its record

    def restore(self) -> None:
        """Have everything put back, and wait until it is."""
        self._process.communicate()


def guard(record: str) -> None:
    """Wait until stdin closes, which it does however the supervisor ends, and undo what its first line lists."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    undo = sys.stdin.readline()
    with contextlib.suppress(OSError):  # without a record only a guard that is killed leaves something behind
        _write_record(record, undo)
    sys.stdout.write("!")
    sys.stdout.flush()
    sys.stdin.read()
    for step in json.loads(undo or "[]"):
        _did(step)
    with contextlib.suppress(OSError):
        os.unlink(record)


def _restore_left(folder: str, record: str) -> None:
    """Undo what a killed guard left, if its record is this account's and asks for nothing else than that."""
    try:
        file = os.open(record, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    with os.fdopen(file) as stream:
        status = os.fstat(file)
        own = stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and status.st_nlink == 1
        text = stream.read(1 << 16) if own else ""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        for step in json.loads(text):
            if _is_undo(step, folder):
                _did(step)
    if own:
        with contextlib.suppress(OSError):
            os.unlink(record)


def _is_undo(step: Any, folder: str) -> bool:
    if "path" in step:
        place = re.escape(folder) + r"/policy\d+/" + _GOVERNOR
        return bool(re.match(place + r"\Z", step["path"]) and re.match(r"[a-z_]+\Z", step["value"]))
    words = " ".join(step["command"])
    if words == " ".join([*android.FIXED, "false"]):
        return True
    return bool(re.match(r"(nvpmodel -m \d+|jetson_clocks --restore /tmp/edgecheck-jetson-clocks-\d+)\Z", words))


def _write_record(record: str, undo: str) -> None:
    file = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "w") as stream:
        stream.write(undo)


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def _found(name: str) -> Optional[str]:
    return android.found(name, _FOLDERS)


def _said(*command: str) -> str:
    """What a program prints, whatever its exit code."""
    done = android.asked(command, _FOLDERS)
    return done.stdout.decode("utf-8", "replace") if done is not None else ""


if __name__ == "__main__":
    guard(sys.argv[1])
