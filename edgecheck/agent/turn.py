"""One check at a time on a device: a lock on a file, and who holds it written into it."""

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Any, Dict, Iterator

if TYPE_CHECKING:
    from edgecheck.agent import jobs, watching, wire
else:
    import jobs
    import watching
    import wire

POLL_S = 0.2


@contextlib.contextmanager
def taken(job: Dict[str, Any], watch: watching.Watch, out: wire.Wire) -> Iterator[None]:
    """Hold the job's lock, if it names one; while another holds it, wait and say who it is.

    The lock goes with the process, however it dies; the file stays, since removing it would let two in.

    Raises:
        jobs.BadJob: the others were not done in time.
        watching.Stopped: the supervisor is to stop.
    """
    file = _opened(job["lock"], out) if job["lock"] else -1
    if file < 0:
        yield
        return
    try:
        _wait(file, job, watch, out)
        os.ftruncate(file, 0)
        os.pwrite(file, _holder(job).encode(), 0)
        yield
        os.ftruncate(file, 0)
    finally:
        os.close(file)


def _opened(path: str, out: wire.Wire) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        out.emit("note", code="no-lock", message="others may measure at the same time: %s" % error)
        return -1


def _wait(file: int, job: Dict[str, Any], watch: watching.Watch, out: wire.Wire) -> None:
    limit_s = job["deadline_s"] if job["lock_timeout_s"] is None else job["lock_timeout_s"]
    limit = time.monotonic() + limit_s
    told = None
    while not _locked(file):
        holder = os.pread(file, 200, 0).decode("utf-8", "replace") or "another check"
        if holder != told:
            told = holder
            out.emit("waiting", holder=holder)
        if time.monotonic() >= limit:
            raise jobs.BadJob("device-busy", "the device was still in use by %s after %g s" % (holder, limit_s))
        watch.wait([], (), min(limit, time.monotonic() + POLL_S))


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(job: Dict[str, Any]) -> str:
    return "%s pid %d" % (job["holder"] or "%s@%s" % (_user(), os.uname().nodename), os.getpid())


def _user() -> str:
    return os.environ.get("LOGNAME") or os.environ.get("USER") or "uid %d" % os.getuid()
