"""Temporary folders that a killed process leaves only until the next start of edgecheck, which removes them.

Each is locked for as long as its process lives; the kernel releases the lock of a process that dies. Cleaners of /tmp
respect such a lock, too (tmpfiles.d(5)).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgecheck.interrupts import held

_PREFIX = "edgecheck-tmp-"

#: Seconds after which a folder without a lock was left behind: its maker locks it at once.
_ABANDONED = 60.0

#: Seconds for removing what was left behind; the next start goes on.
_PATIENCE = 2.0


@contextmanager
def scratch() -> Iterator[Path]:
    """A private folder, removed on leaving. On entering, folders that killed processes of this user left are removed.

    Raises:
        OSError: it cannot be made.
    """
    _remove_abandoned(time.monotonic() + _PATIENCE)
    lock = None
    with held():
        folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        with suppress(
            OSError
        ):  # a file system without locks: the folder is only not protected for longer than a minute
            lock = _locked(Path(folder.name))
    try:
        yield Path(folder.name)
    finally:
        with held():
            folder.cleanup()
            if lock is not None:
                os.close(lock)


def _locked(folder: Path) -> int:
    """The descriptor that locks the folder.

    Raises:
        OSError: it is locked by another process, or is not a folder.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _remove_abandoned(limit: float) -> None:
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if time.monotonic() > limit:
                return
            if entry.name.startswith(_PREFIX):
                with suppress(OSError):
                    _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(folder: Path) -> None:
    lock = _locked(folder)
    try:
        status = os.fstat(lock)
        owned = status.st_uid == os.getuid() and stat.S_ISDIR(status.st_mode)
        if owned and time.time() - status.st_ctime > _ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
