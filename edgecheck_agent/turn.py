"""One check at a time on a device, whoever is logged in: a lock on a file, and who holds it written into it."""

import contextlib
import os
import pwd
import time
from typing import Any, Dict, Iterator, Optional

from edgecheck_agent import jobs, lock_file, watching, wire

POLL_S = 0.2


@contextlib.contextmanager
def taken(job: Dict[str, Any], watch: watching.Watch, out: wire.Wire) -> Iterator[None]:
    """Hold the job's lock, if it names one; while another holds it, wait and say who it is.

    The lock goes with the process, however it dies; the file stays, since removing it would let two in.

    Raises:
        jobs.BadJob: the others were not done in time.
        watching.Stopped: the supervisor is to stop.
    """
    file = _held(job, watch, out) if job["lock"] else None
    try:
        yield
    finally:
        if file is not None:
            lock_file.write(file, "")
            os.close(file)


def _held(job: Dict[str, Any], watch: watching.Watch, out: wire.Wire) -> Optional[int]:
    """The locked file; None where there can be none, which is told."""
    path = lock_file.place(job["lock"])
    limit_s = job["deadline_s"] if job["lock_timeout_s"] is None else job["lock_timeout_s"]
    turn = _Turn(watch, out, limit_s)
    while True:
        try:
            file = lock_file.opened(path)
            turn.wait(file)
        except OSError as error:
            out.emit("note", code="no-lock", message="others may measure at the same time: %s" % error)
            return None
        if lock_file.is_at(file, path):
            lock_file.write(file, _holder(job))
            return file
        os.close(file)


class _Turn:
    """Waits for as long as it may, and says once for whom."""

    def __init__(self, watch: watching.Watch, out: wire.Wire, limit_s: float) -> None:
        self._watch = watch
        self._out = out
        self._limit_s = limit_s
        self._limit = time.monotonic() + limit_s
        self._told = ""

    def wait(self, file: int) -> None:
        """Until the file is locked by this process; closed where it is not, for whatever reason.

        Raises:
            OSError: this disk knows no locks.
            jobs.BadJob: see `taken`.
            watching.Stopped: see `taken`.
        """
        try:
            while not lock_file.locked(file):
                self._tell(lock_file.read(file) or "another check")
                self._watch.wait([], (), min(self._limit, time.monotonic() + POLL_S))
        except BaseException:
            os.close(file)
            raise

    def _tell(self, holder: str) -> None:
        if holder != self._told:
            self._told = holder
            self._out.emit("waiting", holder=holder)
        if time.monotonic() >= self._limit:
            message = "the device was still in use by %s after %g s" % (holder, self._limit_s)
            raise jobs.BadJob("device-busy", message)


def _holder(job: Dict[str, Any]) -> str:
    return "%s pid %d" % (job["holder"] or "%s@%s" % (_user(), os.uname().nodename), os.getpid())


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        return "uid %d" % os.getuid()
