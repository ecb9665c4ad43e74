"""A file that every account of a device can lock, in a folder where everybody can put what they like."""

import errno
import fcntl
import os
import stat
from typing import Optional

# Not of the user's cache, which others cannot reach, nor of $TMPDIR, which each may have set to something else.
PLACE = "/tmp/edgecheck-measuring.lock"  # noqa: S108 - opened with care, below

# For devices whose accounts have a /tmp of their own each, or containers that share another folder.
VARIABLE = "EDGECHECK_LOCK"

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK  # no link of another's is followed, no pipe of another's waited for
_LONGEST = 200


def place(wanted: object) -> str:
    """The path that a job's `lock` stands for: itself, or the device's own where it is true."""
    return wanted if isinstance(wanted, str) else os.environ.get(VARIABLE) or PLACE


def opened(path: str) -> int:
    """A descriptor of the file, made if need be, for everybody to write to.

    Raises:
        OSError: it cannot be opened, or is none that may be written to.
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
    """Without O_CREAT: in a sticky folder the kernel refuses that, even to root, for a file of another's.

    (fs.protected_regular; see proc_sys_fs(5).)
    """
    try:
        return os.open(path, os.O_RDWR | _FLAGS)
    except PermissionError:
        return os.open(path, os.O_RDONLY | _FLAGS)  # a lock takes no more


def _new(path: str) -> int:
    mask = os.umask(0)  # this process has one thread
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
    finally:
        os.umask(mask)


def _trap(status: os.stat_result) -> Optional[str]:
    """Why it is not to be written to, if so: a second name may be that of somebody's own file."""
    if not stat.S_ISREG(status.st_mode):
        return "it is no plain file"
    return "it has another name, too" if status.st_nlink > 1 else None


def locked(file: int) -> bool:
    """Lock it for this process, which holds it until it closes the file or dies; False where another holds it.

    Raises:
        OSError: this disk knows no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(file: int, path: str) -> bool:
    """Whether it is still the file that others will open; somebody may have removed it, as those do that clear /tmp."""
    try:
        return os.path.samestat(os.fstat(file), os.lstat(path))
    except FileNotFoundError:
        return False


def read(file: int) -> str:
    """What is written into it, which anybody may have done."""
    text = os.pread(file, _LONGEST, 0).decode("utf-8", "replace")
    return "".join(each for each in text if each.isprintable())


def write(file: int, text: str) -> None:
    """Write `text` into it and nothing else; where that cannot be, the lock holds all the same."""
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode("utf-8", "replace"), 0)
    except OSError:
        pass
