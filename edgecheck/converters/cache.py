"""Finished artifacts and recordings, kept by a fingerprint of what they were made from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edgecheck.converters import model_files
from edgecheck.converters.interface import ANSWER, Answer, answer_of
from edgecheck.errors import ConversionError
from edgecheck.store import Entry, Store

#: The folder below the cache that holds them.
PLACE = "artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One artifact or recording in the cache."""

    key: str
    model: str
    """The source's name when it was made."""
    what: str
    """`int8 .tflite`, or `outputs of .onnx`."""
    route: str
    size: int
    """Bytes on this disk."""
    made_at: float
    """Seconds since 1970."""


def entries(cache: Path) -> tuple[Kept, ...]:
    """Everything in the cache, the largest first."""
    found = [
        Kept(
            key=entry.folder.name,
            model=entry.facts["model"],
            what=entry.facts["what"],
            route=entry.facts["route"],
            size=entry.size,
            made_at=entry.made_at,
        )
        for entry in _store(cache / PLACE).entries()
    ]
    return tuple(sorted(found, key=lambda each: -each.size))


def locked(kept: Path, tell: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the lock of the folder `kept`: another process that wants the same artifact waits for it.

    Raises:
        ConversionError: the cache cannot be used.
    """
    return _store(kept.parent).locked(kept.name, tell)


def making(kept: Path) -> AbstractContextManager[Path]:
    """A private folder in which `kept` is made, removed whatever happens. See `locked` for what is raised."""
    return _store(kept.parent).making(kept.name)


def lookup(kept: Path) -> Answer | None:
    """The answer kept in `kept`; None when it is absent or its files have changed."""
    entry = _store(kept.parent).get(kept.name)
    return None if entry is None else _answer(entry)


def keep(out: Path, kept: Path, answer: Answer) -> Answer:
    """Move the finished folder `out` to `kept`; the answer with the sha256 of each file. See `locked` for errors."""
    (out / ANSWER).unlink()
    return _answer(_store(kept.parent).put(kept.name, out, asdict(answer)))


def download(cache: Path, digest: str, files: Iterable[Path]) -> int:
    """Compressed bytes of the files whose hash is `digest`; compressing large ones takes seconds, so it is kept."""
    note = cache / "downloads" / digest
    try:
        return int(note.read_text(encoding="ascii"))
    except (OSError, ValueError):
        size = sum(model_files.gzipped(file) for file in files)
    with suppress(OSError):  # a cache that cannot be written to keeps nothing, and the next run compresses again
        note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=note.parent, prefix=".", delete=False) as writing:
            writing.write(str(size))
        Path(writing.name).replace(note)
    return size


def _store(folder: Path) -> Store:
    return Store(folder=folder, what="artifact", error=ConversionError)


def _answer(entry: Entry) -> Answer:
    return replace(answer_of(entry.facts), sha256={name: file["sha256"] for name, file in entry.files.items()})
