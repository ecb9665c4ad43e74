"""The device's cache: files and unpacked archives by the sha256 of their content; what was used last is kept longest.

It is in the first folder that can be written and that nobody else can write to.

files/DIGEST           what was sent as it is
files/.coming-DIGEST   the beginning of something, until the rest has come; of an archive, too
trees/DIGEST/          what was sent as an archive; `DIGEST.whole` next to it holds its size and is made last
jobs/TOKEN/            one check, while it runs
left/TOKEN             the agent's lines of a check whose connection broke
in-use                 locked, shared, by every courier that is alive
bringing               locked by the courier that takes in what is missing
"""

import errno
import fcntl
import json
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

#: The one folder to use, where whoever starts this Python names it.
PLACE_VARIABLE = "EDGECHECK_PLACE"

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
    if os.environ.get(PLACE_VARIABLE):
        yield Path(os.environ[PLACE_VARIABLE])
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


FOLDERS = ("files", "trees", "jobs", "left")
#: The file in a job's folder with the agent's lines, as they are passed on.
LINES = "lines"
#: Errors of file systems without locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
#: Seconds for which the lines of a broken check are kept for the host to come back.
KEPT_S = 900.0
#: Seconds for which the beginning of an upload is kept.
COMING_S = 86400.0
#: Bytes that are left free: a device with no room at all gets into trouble.
MARGIN = 16 * 2**20


class Entry(NamedTuple):
    """One thing in the cache."""

    kind: str
    digest: str
    size: int
    used: float
    """Seconds since the epoch."""
    label: str
    """What it is, for a person."""


class NoRoom(Exception):  # noqa: N818 - it is what is missing
    """The disk has less room than is needed; both in bytes."""

    def __init__(self, needed: int, free: int) -> None:
        super().__init__(needed, free)
        self.needed = needed
        self.free = free


class Busy(Exception):  # noqa: N818 - it is the state
    """Another check is using the cache."""


class Store:
    """A cache folder, with a shared lock on it for as long as the process lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        self._bringing = -1
        self._lock = os.open(str(folder / "in-use"), os.O_RDWR | os.O_CREAT, 0o600)
        if self._alone():
            self._sweep()
        self._share()
        self._own = _holding(folder / "trees", sys.executable)
        with suppress(OSError):
            os.utime(str(self.mark(self._own)))

    def file(self, digest: str) -> Path:
        """The path of a file, whether or not it is there."""
        return self.folder / "files" / digest

    def tree(self, digest: str) -> Path:
        """The folder of an unpacked archive, whether or not it is there."""
        return self.folder / "trees" / digest

    def coming(self, digest: str) -> Path:
        """The path of what has come of an item, whether or not it is there."""
        return self.folder / "files" / (".coming-" + digest)

    def arrived(self, item: "dict[str, Any]") -> int:
        """Bytes of an item that came over an earlier connection."""
        try:
            return min(self.coming(item["digest"]).stat().st_size, int(item["size"]))
        except OSError:
            return 0

    def mark(self, digest: str) -> Path:
        """The path of the file that marks a tree as complete."""
        return self.folder / "trees" / (digest + ".whole")

    def has(self, item: "dict[str, Any]") -> bool:
        """Whether an item of the host's list is in the cache; it counts as used now."""
        is_file = item["kind"] == "file"
        path = self.file(item["digest"]) if is_file else self.mark(item["digest"])
        try:
            size = path.stat().st_size
            os.utime(str(path))
        except OSError:
            return False
        return size == item["size"] if is_file else self.tree(item["digest"]).is_dir()

    def bringing(self) -> bool:
        """Become the only courier that takes things in; False if another one is."""
        if self._bringing < 0:
            self._bringing = os.open(str(self.folder / "bringing"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._bringing, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _NO_LOCKS
        return True

    def brought(self) -> None:
        """Let others take things in."""
        if self._bringing >= 0:
            os.close(self._bringing)
            self._bringing = -1

    def make_room(self, wanted: "set[str]", coming: int, limit: int) -> None:
        """Remove what was used longest ago until `coming` more bytes are within the limit and fit the disk.

        Nothing is removed while another check runs, so the limit may be exceeded then.

        Raises:
            NoRoom: they do not fit the disk.
        """
        entries = sorted(self.entries(), key=lambda entry: entry.used)
        total = sum(entry.size for entry in entries)
        spare = [entry for entry in entries if entry.digest not in (*wanted, self._own)]
        needed = coming + MARGIN
        if (total + coming > limit or self.free() < needed) and spare and self._alone():
            for entry in spare:
                if total + coming > limit or self.free() < needed:
                    self.remove(entry)
                    total -= entry.size
        self._share()
        if self.free() < needed:
            raise NoRoom(needed, self.free())

    def free(self) -> int:
        """Bytes that may still be written."""
        disk = os.statvfs(str(self.folder))
        return disk.f_bavail * disk.f_frsize

    def entries(self) -> "Iterator[Entry]":
        """Everything that is complete."""
        for path in (self.folder / "files").glob("[!.]*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                yield Entry("file", path.name, status.st_size, status.st_mtime, "a model or samples")
        for path in (self.folder / "trees").glob("*.whole"):
            with suppress(FileNotFoundError, ValueError):
                size, used = int(path.read_text(encoding="ascii")), path.stat().st_mtime
                yield Entry("tree", path.stem, size, used, _label(path.with_suffix("")))

    def remove(self, entry: Entry) -> None:
        """Remove one thing."""
        with suppress(FileNotFoundError):
            (self.file if entry.kind == "file" else self.mark)(entry.digest).unlink()
        if entry.kind == "tree":
            shutil.rmtree(str(self.tree(entry.digest)), ignore_errors=True)

    def clear(self) -> int:
        """Remove everything. Returns the bytes that were freed.

        Raises:
            Busy: see there.
        """
        if not self._alone():
            self._share()
            raise Busy
        freed = sum(entry.size for entry in self.entries())
        for name in FOLDERS:
            for path in (self.folder / name).iterdir():
                _remove(path)
        self._share()
        return freed

    def _alone(self) -> bool:
        """Lock the cache for this process alone; False if another courier runs, or the file system has no locks."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _share(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    def _sweep(self) -> None:
        """Remove what killed couriers left behind, and results that nobody came back for."""
        for job in (self.folder / "jobs").iterdir():
            with suppress(OSError):
                (job / LINES).replace(self.folder / "left" / job.name)
            _remove(job)
        for path in (self.folder / "left").iterdir():
            if time.time() - path.stat().st_mtime > KEPT_S:
                _remove(path)
        for path in (self.folder / "files").glob(".*"):
            if time.time() - path.stat().st_mtime > COMING_S:
                _remove(path)
        for path in (self.folder / "trees").iterdir():
            if path.suffix != ".whole" and not self.mark(path.name).exists():
                _remove(path)


def _holding(trees: Path, program: str) -> str:
    """The digest of the tree that `program` is in, which was brought here to run this; empty if it is in none."""
    folder, path = os.path.realpath(str(trees)), os.path.realpath(program)
    return os.path.relpath(path, folder).partition(os.sep)[0] if path.startswith(folder + os.sep) else ""


def _label(tree: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        about = json.loads((tree / "edgecheck-bundle.json").read_text(encoding="utf-8"))
        return "a runtime: " + ", ".join(about["requirements"])
    return "the agent" if (tree / "edgecheck_agent").exists() else "a runtime"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path), ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()
