"""Cached folders that are complete and intact, or absent: built aside, checked, renamed into place.

    FOLDER/<key>/…                     the files of an entry
    FOLDER/<key>/entry.json            the builder's facts about it; size and digest of each file
    FOLDER/<key>/seen.json             inode and times of each file when its digest was last right
    FOLDER/.making-<key>-<random>/     what is being built
    FOLDER/.locks/<key>                held by whoever builds the entry

Several processes and threads may use a store at once. The kernel releases the lock of a process that dies, and the next
build in the same store removes what the dead process was building.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgecheck.deadline import NEVER, Deadline
from edgecheck.errors import UndecidedError
from edgecheck.interrupts import held

Progress = Callable[[str], None]

#: Writes the files of an entry into an empty folder and returns facts about it, as JSON values. The parent of that
#: folder is private to the build, too: a place for temporary files on the same file system, removed afterwards.
Builder = Callable[[Path], Mapping[str, Any]]

_ENTRY, _SEEN = "entry.json", "seen.json"
_MAKING = ".making-"

_CHUNK = 1 << 20

#: Seconds between two attempts to take a lock: flock itself cannot wait with a deadline.
_PAUSE = 0.1

#: Nanoseconds for which a file must have been unchanged before its times are trusted: a second change within one tick
#: of the kernel's clock (10 ms at most) leaves them as they are.
_SETTLED_NS = 20_000_000

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: A folder that is not ours stays, so that ours cannot take its place: ENOTEMPTY.
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTEMPTY})


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def recorded(path: Path) -> str:
    """The digest with which a file of an entry was stored, without reading the file."""
    record = json.loads((path.parent / _ENTRY).read_text(encoding="utf-8"))
    return str(record["files"][path.name]["sha256"])


@dataclass(frozen=True, slots=True)
class Entry:
    """A complete and intact folder of a store."""

    folder: Path
    facts: Mapping[str, Any]
    """What the builder returned."""
    files: Mapping[str, Mapping[str, Any]]
    """`bytes` and `sha256` of each file by its name; files in subfolders are not listed and not checked."""

    @property
    def content(self) -> str:
        """A sha256 over the names and contents of the files."""
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes that the entry takes on the disk; holes of sparse files take none."""
        return _bytes(self.folder)

    @property
    def made_at(self) -> float:
        """When it was built, in seconds since 1970."""
        return (self.folder / _ENTRY).stat().st_mtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A folder of entries. Its methods raise `error` when the folder cannot be used or its disk is full."""

    folder: Path
    what: str
    """What an entry is, for messages: `runtime bundle`."""
    error: type[UndecidedError]
    digest: Callable[[Path], str] = sha256_of
    """Computes the digest by which a damaged file is found."""
    reads: Callable[[Entry], object] = id
    """Makes of an entry what its user wants. An entry on which it raises a ValueError, KeyError, TypeError or
    AttributeError is as absent: another version of edgecheck, which knows other facts, wrote it."""

    def get(self, key: str) -> Entry | None:
        """The entry, if its files are what was stored; a file that kept its inode and times is not read again."""
        folder = self.folder / key
        try:
            entry = Entry(folder, **json.loads((folder / _ENTRY).read_text(encoding="utf-8")))
            self.reads(entry)
            return entry if self._intact(entry) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def ensure(self, key: str, build: Builder, progress: Progress, deadline: Deadline = NEVER) -> Entry:
        """The entry, built now if it is absent or damaged; of several processes that want it, one builds it.

        Raises:
            UndecidedError: `error`: the disk is full, the folder cannot be written to, or another process was still
                building the entry at `deadline`. What `build` raises passes through. Nothing is left behind.
        """
        if entry := self.get(key):
            with suppress(OSError):  # the time of its last use; a read-only cache keeps none
                os.utime(entry.folder)
            return entry
        with self.locked(key, progress, deadline):
            return self.get(key) or self._build(key, build)

    def replace(self, key: str, build: Builder, progress: Progress) -> Entry:
        """The entry, built now even if it is there; the old one stays until the new one is complete.

        Raises:
            UndecidedError: as `ensure`.
        """
        with self.locked(key, progress):
            return self._build(key, build)

    def entries(self) -> Iterator[Entry]:
        """The intact entries, the most recently used first."""
        for folder in self._folders():
            if entry := self.get(folder.name):
                yield entry

    def trim(self, most_bytes: int) -> None:
        """Remove the entries that were unused for longest until `most_bytes` are left; not those being built.

        Damaged entries, and those that another version of edgecheck wrote, take space like the others.
        """
        total = 0
        for folder in self._folders():
            total += _bytes(folder)
            if total > most_bytes:
                self._remove_if_free(folder, folder.name)

    @contextmanager
    def locked(self, key: str, progress: Progress, deadline: Deadline = NEVER) -> Iterator[None]:
        """Hold the lock of `key`; `progress` is called once if another process holds it.

        Raises:
            UndecidedError: as `ensure`.
        """
        with self._lock_file(key) as file:
            if not _taken(file):
                progress(f"waiting for another edgecheck that is making the same {self.what}")
                while not _taken(file):
                    if deadline.passed():
                        raise self.error(
                            f"Another edgecheck is making the same {self.what} and did not finish in time.",
                            f"It holds {file.name}.",
                        )
                    time.sleep(_PAUSE)
            yield

    @contextmanager
    def making(self, key: str) -> Iterator[Path]:
        """A private folder next to the entries for whoever holds the lock of `key`; removed whatever happens.

        Raises:
            UndecidedError: as `ensure`.
        """
        with self._explained():
            self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep(key)
        scratch = None
        try:
            with self._explained(), held():
                scratch = tempfile.TemporaryDirectory(
                    dir=self.folder, prefix=f"{_MAKING}{key}-", ignore_cleanup_errors=True
                )
            yield Path(scratch.name)
        finally:
            with held():
                if scratch is not None:
                    scratch.cleanup()

    def put(self, key: str, folder: Path, facts: Mapping[str, Any]) -> Entry:
        """Move a finished folder to its place, with `facts` and the digests of its files written down.

        Raises:
            UndecidedError: as `ensure`.
        """
        with self._explained():
            files = {path.name: self._description(path) for path in sorted(folder.iterdir()) if path.is_file()}
            text = json.dumps({"facts": facts, "files": files}, indent=1, sort_keys=True)
            (folder / _ENTRY).write_text(text + "\n", encoding="utf-8")
            place = self.folder / key
            shutil.rmtree(place, ignore_errors=True)
            folder.rename(place)
        entry = Entry(place, **json.loads(text))
        _remember(entry)
        return entry

    def _folders(self) -> list[Path]:
        """Those of all entries, the most recently used first."""
        return sorted((path.parent for path in self.folder.glob(f"*/{_ENTRY}")), key=_last_use, reverse=True)

    def _build(self, key: str, build: Builder) -> Entry:
        with self.making(key) as scratch:
            folder = scratch / "entry"
            folder.mkdir()
            with self._explained():
                facts = build(folder)
            return self.put(key, folder, facts)

    def _description(self, path: Path) -> dict[str, Any]:
        with path.open("rb") as file:
            os.fsync(file.fileno())  # a power cut after the rename must not leave an entry of zeros
        return {"bytes": path.stat().st_size, "sha256": self.digest(path)}

    def _intact(self, entry: Entry) -> bool:
        """Whether the files are what was stored. Reading 100 MB would cost more than starting an emulated machine."""
        if any((entry.folder / name).stat().st_size != file["bytes"] for name, file in entry.files.items()):
            return False
        if _stamps(entry) == _seen(entry):
            return True
        if any(self.digest(entry.folder / name) != file["sha256"] for name, file in entry.files.items()):
            return False
        _remember(entry)
        return True

    def _sweep(self, key: str) -> None:
        """Remove what killed processes were building; `key`'s lock is ours."""
        for folder in self.folder.glob(f"{_MAKING}*-*"):
            of = folder.name.removeprefix(_MAKING).rpartition("-")[0]
            if of == key:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                self._remove_if_free(folder, of)

    def _remove_if_free(self, folder: Path, key: str) -> None:
        with suppress(self.error), self._lock_file(key) as file:
            if _taken(file):
                shutil.rmtree(folder, ignore_errors=True)

    def _lock_file(self, key: str) -> IO[str]:
        locks = self.folder / ".locks"
        try:
            locks.mkdir(parents=True, exist_ok=True)
            return (locks / key).open("a", encoding="utf-8")
        except OSError as error:
            raise self._failure(error) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the file system refuses to the cache into `error`."""
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL | _REFUSED:
                raise
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> UndecidedError:
        reason = error.strerror or error
        if error.errno in _FULL:
            return self.error(
                f"The cache folder {self.folder} is full: {reason}.",
                "Free some space there, or set XDG_CACHE_HOME to a folder that has it.",
            )
        return self.error(
            f"The cache folder {self.folder} cannot be used: {reason}.",
            "Make it writable, or set XDG_CACHE_HOME to a folder that is.",
        )


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # removed meanwhile
        return 0.0


def _bytes(folder: Path) -> int:
    """What a folder takes on the disk; 0 for what is removed meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_blocks * 512 if path.name != _SEEN else 0
    return total


def _stamps(entry: Entry) -> dict[str, list[int]]:
    stats = {name: (entry.folder / name).stat() for name in entry.files}
    return {name: [stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats.items()}


def _seen(entry: Entry) -> object:
    try:
        return json.loads((entry.folder / _SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _remember(entry: Entry) -> None:
    """Note that the digests are right, for files whose times will show any later change."""
    stamps = _stamps(entry)
    if all(time.time_ns() - changed > _SETTLED_NS for _, _, changed in stamps.values()):
        with suppress(OSError):  # a cache that cannot be written is only slower
            (entry.folder / _SEEN).write_text(json.dumps(stamps), encoding="utf-8")
