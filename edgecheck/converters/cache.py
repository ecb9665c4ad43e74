"""Finished artifacts and recordings, each kept by a key: contents, variant, routes and the converters' versions."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgecheck import anatomy
from edgecheck.converters import model_files
from edgecheck.converters.interface import ANSWER, AS_IS, Answer, Request, answer_of
from edgecheck.converters.safety import factories
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
    found = [(entry, _answer(entry)) for entry in _store(cache / PLACE).entries()]
    kept = [
        Kept(
            key=entry.folder.name,
            model=answer.model,
            what=answer.what,
            route=answer.route,
            size=entry.size,
            made_at=entry.made_at,
        )
        for entry, answer in found
    ]
    return tuple(sorted(kept, key=lambda each: -each.size))


def locked(kept: Path, progress: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the lock of the folder `kept`: another process that wants the same artifact waits for it.

    Raises:
        ConversionError: the cache cannot be used.
    """
    return _store(kept.parent).locked(kept.name, progress)


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
        with tempfile.TemporaryDirectory(dir=note.parent, prefix=".") as aside:
            made = Path(aside, digest)
            made.write_text(str(size), encoding="ascii")
            made.replace(note)
    return size


def _store(folder: Path) -> Store:
    return Store(folder=folder, what="artifact", error=ConversionError, reads=_answer)


def _answer(entry: Entry) -> Answer:
    return replace(answer_of(entry.facts), sha256={name: file["sha256"] for name, file in entry.files.items()})


#: Variants that depend on the samples' values; the others depend at most on their shapes.
_CALIBRATED = ("int8", AS_IS)


def cache_key(request: Request, makers: Iterable[str], packages: Iterable[str]) -> str:
    """The name under which the result for `request` is kept.

    Args:
        request: Its variant, shapes, and the contents of its model, samples and factory count; its paths do not.
        makers: The functions that make the result, in their order.
        packages: The distributions whose versions count.
    """
    digest = hashlib.sha256()
    inputs = sorted((name, tuple(shape)) for name, shape in request.inputs.items())
    parts = [_own_code(), request.source, request.format, request.variant, request.prune, inputs, request.factory]
    digest.update(repr([*parts, *makers, *map(_version, dict.fromkeys(packages))]).encode())
    for file in model_files.files_of(request.model, request.source):
        digest.update(model_files.sha256(file).encode())
    digest.update(f"signature {request.signature}".encode() if request.signature else b"")
    digest.update(b"ordered" if request.ordered else b"")
    if request.samples is not None:
        calibrated = request.variant in _CALIBRATED
        seen = model_files.sha256(request.samples) if calibrated else _shapes(request.samples)
        digest.update(seen.encode())
    if request.factory:
        digest.update(factories.sha256(request.factory, request.home).encode())
    return digest.hexdigest()[:32]


@cache
def _own_code() -> str:
    """The code that makes and reads artifacts: when it changes, the same input may give another result."""
    digest = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(anatomy.__file__).parent):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        return f"{package} is absent"


def _shapes(samples: Path) -> str:
    from edgecheck.converters.samples import described  # imports numpy, which a check without samples does not need

    return repr(described(samples))
