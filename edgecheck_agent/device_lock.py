"""One check at a time on a device, whichever account starts it: a lock on a file that names its holder.

The file lies in a folder where everybody can put what they like, so it is opened with care.
"""

import contextlib
import errno
import fcntl
import os
import pwd
import stat
import time
from typing import Any, Dict, Iterator, Optional

from edgecheck_agent import events, jobs, watching

# Not in the user's cache, which others cannot reach, nor in $TMPDIR, which may differ between users.
PATH = "/tmp/edgecheck-measuring.lock"  # noqa: S108 - see above

# For devices whose accounts each have their own /tmp, or containers that share another folder.
VARIABLE = "EDGECHECK_LOCK"

POLL_S = 0.2

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK  # follow no link and wait for no pipe that somebody else has put there
_LONGEST = 200


@contextlib.contextmanager
def taken(job: Dict[str, Any], watch: watching.Watch, out: events.Stdout) -> Iterator[None]:
    """Hold the job's lock, if it names one; while somebody else holds it, report who and wait.

    The lock goes with the process, however it dies. The file stays, since removing it would let two in.

    Raises:
        jobs.BadJob: the holders were not done in time.
        watching.Stopped: the supervisor is to stop.
    """
    file = _held(job, watch, out) if job["lock"] else None
    try:
        yield
    finally:
        if file is not None:
            _write(file, "")
            os.close(file)


def lock_path(wanted: object) -> str:
    """The path that a job's `lock` stands for: itself, or the device's own lock where it is true."""
    return wanted if isinstance(wanted, str) else os.environ.get(VARIABLE) or PATH


def _held(job: Dict[str, Any], watch: watching.Watch, out: events.Stdout) -> Optional[int]:
    """The locked file; None, with a note, where no file can be locked."""
    path = lock_path(job["lock"])
    limit_s = job["deadline_s"] if job["lock_timeout_s"] is None else job["lock_timeout_s"]
    queue = _Queue(watch, out, limit_s)
    while True:
        try:
            file = _opened(path)
            queue.wait(file)
        except OSError as error:
            out.emit("note", code="no-lock", message="others may measure at the same time: %s" % error)
            return None
        if _is_at(file, path):
            _write(file, _holder(job))
            return file
        os.close(file)


class _Queue:
    """Waits for the lock up to a limit, and reports each holder once."""

    def __init__(self, watch: watching.Watch, out: events.Stdout, limit_s: float) -> None:
        self._watch = watch
        self._out = out
        self._limit_s = limit_s
        self._limit = time.monotonic() + limit_s
        self._reported = ""

    def wait(self, file: int) -> None:
        """Wait until this process has locked `file`; if it cannot, for whatever reason, close it.

        Raises:
            OSError: this file system has no locks.
            jobs.BadJob: see `taken`.
            watching.Stopped: see `taken`.
        """
        try:
            while not _locked(file):
                self._report(_read(file) or "another check")
                self._watch.wait([], (), min(self._limit, time.monotonic() + POLL_S))
        except BaseException:
            os.close(file)
            raise

    def _report(self, holder: str) -> None:
        if holder != self._reported:
            self._reported = holder
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


def _opened(path: str) -> int:
    """A descriptor of the file, which is created where it is missing, writable for everybody.

    Raises:
        OSError: it cannot be opened, or must not be written to.
    """
    try:
        file = _existing(path)
    except FileNotFoundError:
        try:
            file = _new(path)
        except FileExistsError:  # somebody was faster
            file = _existing(path)
    trap = _trap(os.fstat(file))
    if trap is None:
        return file
    os.close(file)
    raise OSError(errno.EPERM, trap, path)


def _existing(path: str) -> int:
    """Without O_CREAT: in a sticky folder the kernel refuses that, even to root, for somebody else's file.

    (fs.protected_regular; see proc_sys_fs(5).)
    """
    try:
        return os.open(path, os.O_RDWR | _FLAGS)
    except PermissionError:
        return os.open(path, os.O_RDONLY | _FLAGS)  # enough for a lock


def _new(path: str) -> int:
    mask = os.umask(0)  # this process has one thread
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
    finally:
        os.umask(mask)


def _trap(status: os.stat_result) -> Optional[str]:
    """Why the file must not be written to, if so: a second name may be that of somebody's private file."""
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    return "it has a second name" if status.st_nlink > 1 else None


def _locked(file: int) -> bool:
    """Lock it for this process, until the file is closed or the process dies; False where somebody else holds it.

    Raises:
        OSError: this file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: str) -> bool:
    """Whether it is still the file that others will open: whoever clears /tmp may have removed it."""
    try:
        return os.path.samestat(os.fstat(file), os.lstat(path))
    except FileNotFoundError:
        return False


def _read(file: int) -> str:
    """The file's text, which anybody may have written."""
    text = os.pread(file, _LONGEST, 0).decode("utf-8", "replace")
    return "".join(each for each in text if each.isprintable())


def _write(file: int, text: str) -> None:
    """Replace the file's text; where that fails, the lock holds all the same."""
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode("utf-8", "replace"), 0)
    except OSError:
        pass
