"""Where on the device things are kept: the user's cache folder or, if that is unusable, a private folder elsewhere."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: The one folder to use, where whoever starts this Python names it.
VARIABLE = "EDGECHECK_PLACE"

_FULL = (errno.ENOSPC, errno.EDQUOT)


class NoPlace(Exception):  # noqa: N818 - it is what is missing
    """No folder can be used; the message says why for each."""


def chosen() -> Path:
    """The folder, created if it is missing, and private where others can see its parent.

    Raises:
        NoPlace: see there.
    """
    reasons = []
    for folder in _candidates():
        reason = problem(folder)
        if reason is None:
            return folder
        reasons.append(f"{folder}: {reason}")
    raise NoPlace("; ".join(reasons))


def _candidates() -> "Iterator[Path]":
    """The places, the best first; /tmp may be in RAM, which is to be measured, so it comes last."""
    if os.environ.get(VARIABLE):
        yield Path(os.environ[VARIABLE])
        return
    cache = os.environ.get("XDG_CACHE_HOME", "")
    yield Path(cache if os.path.isabs(cache) else os.path.expanduser("~/.cache")) / "edgecheck"  # noqa: PTH111, PTH117 - Path.home() raises where HOME is unset and the user unknown
    named = [os.environ["TMPDIR"]] if os.environ.get("TMPDIR") else []
    for parent in dict.fromkeys((*named, "/var/tmp", "/tmp")):  # noqa: S108 - made private below
        yield Path(parent) / f"edgecheck-{os.getuid()}"


def problem(folder: Path) -> "str | None":
    """Why nothing can be kept there; a full disk is reported later, when it is known how much is needed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_foreign(folder):
            return "it belongs to somebody else"
        if os.statvfs(str(folder)).f_flag & getattr(os, "ST_NOEXEC", 0):
            return "programs may not run from there (noexec)"
        with tempfile.NamedTemporaryFile(dir=str(folder)):
            return None
    except OSError as error:
        return None if error.errno in _FULL and folder.is_dir() else str(error.strerror or error)


def _is_foreign(folder: Path) -> bool:
    """Whether another user made it, or could have put it there: its files are run."""
    anyone = folder.parent.stat().st_mode & stat.S_ISVTX
    status = folder.lstat() if anyone else folder.stat()
    private = not (anyone and status.st_mode & 0o022)
    return not (stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and private)
