"""A cache of folders that are either whole and intact or not there: built aside, checked, renamed into place."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from edgecheck.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Progress = Callable[[str], None]
    # Fills the empty folder that it is given, and returns what is to be remembered about it (JSON values).
    Builder = Callable[[Path], Mapping[str, Any]]

DISKS, STATES = "disks", "states"

_CHUNK = 1 << 20
_ZEROS = bytes(_CHUNK)
_ENTRY = "entry.json"
_SEEN = "seen.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder of the cache, checked."""

    folder: Path
    content: str
    """sha256 over the names and contents of its files."""
    facts: Mapping[str, Any]

    def bytes_on_disk(self) -> int:
        """What the entry takes of the disk (holes of sparse files take nothing)."""
        return sum(path.stat().st_blocks * 512 for path in self.folder.iterdir())


@dataclass(frozen=True, slots=True)
class Store:
    """The emulator's cache folder; several processes may use it at once."""

    root: Path

    def get(self, kind: str, key: str) -> Entry | None:
        """The entry, if it is there and its files are what was stored; an unchanged file is not read again."""
        folder = self.root / kind / key
        try:
            entry = json.loads((folder / _ENTRY).read_text(encoding="utf-8"))
            if not _intact(folder, entry["files"]):
                return None
            return Entry(folder, _content(entry["files"]), entry["facts"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def ensure(self, kind: str, key: str, build: Builder, progress: Progress) -> Entry:
        """The entry, built now if it is missing or damaged; of two processes that want it, one builds.

        Raises:
            EmulatorError: the disk is full or not writable, or `build` failed; nothing is left behind.
        """
        if entry := self.get(kind, key):
            with contextlib.suppress(OSError):  # the time of its last use; a read-only cache keeps none
                os.utime(entry.folder)
            return entry
        with _explained(self.root), self._locked(f"{kind}-{key}", progress):
            return self.get(kind, key) or self._build(kind, key, build)

    def replace(self, kind: str, key: str, build: Builder, progress: Progress) -> Entry:
        """The entry, built anew whatever is there; see `ensure` for what is raised."""
        with _explained(self.root), self._locked(f"{kind}-{key}", progress):
            return self._build(kind, key, build)

    def entries(self, kind: str) -> Iterator[Entry]:
        """The intact entries of one kind, the most recently used first."""
        folders = [path.parent for path in (self.root / kind).glob(f"*/{_ENTRY}")]
        for folder in sorted(folders, key=_last_use, reverse=True):
            if entry := self.get(kind, folder.name):
                yield entry

    def keep(self, kind: str, most_bytes: int) -> None:
        """Remove the entries that were not used for longest, until the kind takes `most_bytes` at most."""
        total = 0
        for entry in self.entries(kind):
            total += entry.bytes_on_disk()
            if total > most_bytes:
                shutil.rmtree(entry.folder, ignore_errors=True)

    def _build(self, kind: str, key: str, build: Builder) -> Entry:
        place = self.root / kind / key
        place.parent.mkdir(parents=True, exist_ok=True)
        for stale in place.parent.glob(f".{key}-*"):  # an interrupted build's: we hold its lock
            shutil.rmtree(stale, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=place.parent))
        try:
            facts = dict(build(aside))
            files = {path.name: _description(path) for path in sorted(aside.iterdir())}
            text = json.dumps({"facts": facts, "files": files}, indent=1, sort_keys=True)
            (aside / _ENTRY).write_text(text + "\n", encoding="utf-8")
            shutil.rmtree(place, ignore_errors=True)
            aside.rename(place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        _remember(place, files)
        return Entry(place, _content(files), facts)

    @contextlib.contextmanager
    def _locked(self, name: str, progress: Progress) -> Iterator[None]:
        folder = self.root / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            opened = (folder / f"{name}.lock").open("w")
        except OSError as error:
            raise _refused(self.root, error) from error
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waiting for another edgecheck that is building the same")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def default_store() -> Store:
    """The store in the user's cache folder."""
    return Store(user_cache_path("edgecheck") / "emulator")


def recorded(path: Path) -> str:
    """The sha256 under which an entry's file was stored, without reading the file."""
    entry = json.loads((path.parent / _ENTRY).read_text(encoding="utf-8"))
    return str(entry["files"][path.name]["sha256"])


def digest(path: Path) -> str:
    """sha256 of a file's size and its megabytes that are not all zeros, each with its number; quick on sparse files."""
    result = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        for offset in _data(file.fileno()):
            file.seek(offset)
            chunk = file.read(_CHUNK)
            if chunk != _ZEROS[: len(chunk)]:
                result.update(f"@{offset}:".encode() + chunk)
    return result.hexdigest()


def _data(descriptor: int) -> Iterator[int]:
    """Offsets of the megabytes that are not wholly in a hole."""
    offset = 0
    while True:
        try:
            offset = os.lseek(descriptor, offset, os.SEEK_DATA) // _CHUNK * _CHUNK
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return
            raise
        yield offset
        offset += _CHUNK


def _description(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        os.fsync(file.fileno())  # a power cut after the rename must not leave an entry of zeros
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def _content(files: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _intact(folder: Path, files: Mapping[str, Any]) -> bool:
    """Reading 100 MB costs more than starting the machine: files that kept inode and times are believed."""
    for name, told in files.items():
        if (folder / name).stat().st_size != told["bytes"]:
            return False
    if _stamps(folder, files) == _seen(folder):
        return True
    if any(digest(folder / name) != told["sha256"] for name, told in files.items()):
        return False
    _remember(folder, files)
    return True


def _stamps(folder: Path, files: Mapping[str, Any]) -> dict[str, list[int]]:
    stats = {name: (folder / name).stat() for name in files}
    return {name: [stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats.items()}


def _seen(folder: Path) -> object:
    try:
        return json.loads((folder / _SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _remember(folder: Path, files: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a cache that cannot be written is only slower
        (folder / _SEEN).write_text(json.dumps(_stamps(folder, files)), encoding="utf-8")


def _last_use(folder: Path) -> float:
    return folder.stat().st_mtime


@contextlib.contextmanager
def _explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise _refused(root, error) from error


def _refused(root: Path, error: OSError) -> EmulatorError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return EmulatorError(
        f"The emulator's cache {root} cannot be written: {error.strerror}.",
        "Free some space there, or set XDG_CACHE_HOME to a folder that has it."
        if full
        else "Make it writable, or set XDG_CACHE_HOME to a folder that is.",
    )
