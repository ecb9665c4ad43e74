"""Finished artifacts and recordings in a folder of their own each: shown, used again, cleared."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from edgecheck.converters import model_files
from edgecheck.converters.interface import ANSWER, Answer, Failure, read_answer, write_answer
from edgecheck.errors import ConversionError

#: The folder below the cache that holds them.
PLACE = "artifacts"
_ABANDONED_AFTER = 86_400.0
"""Seconds after which a folder in the making belongs to a process that was killed."""
_PAUSE = 0.1
"""Seconds between two attempts: flock itself cannot wait and be interrupted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One kept artifact or recording."""

    key: str
    model: str
    """The source's name when it was made."""
    what: str
    """`int8 tflite`, or `outputs of onnx`."""
    route: str
    size: int
    """Bytes on this disk."""
    made_at: float
    """Seconds since 1970."""


def entries(cache: Path) -> tuple[Entry, ...]:
    """What is kept, the largest first."""
    found = [_entry(folder) for folder in (cache / PLACE).glob(f"*/{ANSWER}")]
    return tuple(sorted((each for each in found if each), key=lambda each: -each.size))


def clear(cache: Path) -> int:
    """Remove everything that is kept; bytes freed."""
    freed = sum(file.stat().st_size for file in (cache / PLACE).rglob("*") if file.is_file())
    shutil.rmtree(cache / PLACE, ignore_errors=True)
    return freed


def lookup(kept: Path) -> Answer | None:
    """The answer kept in `kept`; None, and the folder removed, when its files are not what they were."""
    try:
        answer = read_answer(kept)
        if isinstance(answer, Answer) and all(
            model_files.sha256(kept / name) == digest for name, digest in answer.sha256.items()
        ):
            return answer
    except (OSError, ValueError, ConversionError):
        pass
    shutil.rmtree(kept, ignore_errors=True)
    return None


def keep(out: Path, kept: Path, answer: Answer) -> Answer:
    """Move a finished folder to its place; its files' hashes are written down with the answer."""
    whole = replace(answer, sha256={name: model_files.sha256(out / name) for name in answer.files})
    write_answer(whole, out)
    try:
        out.rename(kept)
    except OSError:
        if not (kept / ANSWER).exists():  # another edgecheck made the same meanwhile: its copy is as good
            raise
    return whole


def download(cache: Path, digest: str, files: Iterable[Path]) -> int:
    """Compressed bytes of the files whose hash is `digest`; packing takes seconds for large ones, so it is kept."""
    note = cache / "downloads" / digest
    try:
        return int(note.read_text(encoding="ascii"))
    except (OSError, ValueError):
        size = sum(model_files.gzipped(file) for file in files)
    with suppress(OSError):  # a cache that cannot be written to keeps nothing, and it is packed again next time
        note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=note.parent, prefix=".", delete=False) as writing:
            writing.write(str(size))
        Path(writing.name).replace(note)
    return size


@contextmanager
def locked(kept: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Have `kept` to oneself: who wants the same artifact waits for it instead of making it twice.

    The kernel frees the lock of a process that dies; folders that such a process left in the making are removed.

    Raises:
        ConversionError: the cache cannot be written to.
    """
    with _lock_file(kept) as lock:
        while not _taken(lock):
            tell("waiting for another conversion to the same artifact")
            time.sleep(_PAUSE)
        _sweep(kept.parent)
        yield


def _lock_file(kept: Path) -> IO[str]:
    locks = kept.parent / ".locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        return (locks / kept.name).open("a", encoding="ascii")
    except OSError as error:
        raise ConversionError(
            f"The cache folder {kept.parent} cannot be used: {error.strerror or error}.",
            "Make it writable, or set XDG_CACHE_HOME to a folder that is.",
        ) from error


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(place: Path) -> None:
    """Remove what killed processes left in the making."""
    for folder in place.glob(".making-*"):
        with suppress(FileNotFoundError):  # its own process may have removed it by now
            if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(folder, ignore_errors=True)


def _entry(answer_file: Path) -> Entry | None:
    folder = answer_file.parent
    try:
        answer = read_answer(folder)
        if isinstance(answer, Failure):
            return None
        return Entry(
            key=folder.name,
            model=answer.model,
            what=answer.what,
            route=answer.route,
            size=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
            made_at=answer_file.stat().st_mtime,
        )
    except (OSError, ValueError):
        return None
