"""Finished artifacts and recordings in a folder of their own each: shown, used again, cleared."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.converters import packing

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

#: The folder below the cache that holds them.
PLACE = "artifacts"
_ABANDONED_AFTER = 86_400.0
"""Seconds after which a folder in the making belongs to a process that was killed."""


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
    found = [_entry(folder) for folder in (cache / PLACE).glob("*/answer.json")]
    return tuple(sorted((each for each in found if each), key=lambda each: -each.size))


def clear(cache: Path) -> int:
    """Remove everything that is kept; bytes freed."""
    freed = sum(file.stat().st_size for file in (cache / PLACE).rglob("*") if file.is_file())
    shutil.rmtree(cache / PLACE, ignore_errors=True)
    return freed


def lookup(kept: Path) -> dict[str, Any] | None:
    """The answer kept in `kept`; None, and the folder removed, when its files are not what they were."""
    try:
        answer = read(kept)
        whole = all(packing.sha256(kept / name) == digest for name, digest in answer["sha256"].items())
    except (OSError, ValueError, KeyError):
        whole, answer = False, {}
    if not whole:
        shutil.rmtree(kept, ignore_errors=True)
        return None
    return answer


def read(folder: Path) -> dict[str, Any]:
    """The answer of a child, or what `keep` made of it."""
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return answer


def keep(out: Path, kept: Path, answer: dict[str, Any]) -> dict[str, Any]:
    """Move a finished folder to its place; with the answer what will be asked of its files is written down."""
    files = {name: out / name for name in answer["files"]}
    whole = answer | {
        "sha256": {name: packing.sha256(file) for name, file in files.items()},
        "download": sum(packing.gzipped(file) for file in files.values()),
    }
    (out / "answer.json").write_text(json.dumps(whole), encoding="utf-8")
    try:
        out.rename(kept)
    except OSError:
        if not (kept / "answer.json").exists():  # another edgecheck made the same meanwhile: its copy is as good
            raise
    return whole


def sweep(cache: Path) -> None:
    """Remove what killed processes left in the making."""
    for folder in (cache / PLACE).glob(".making-*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def _entry(answer_file: Path) -> Entry | None:
    try:
        answer = json.loads(answer_file.read_text(encoding="utf-8"))
        folder = answer_file.parent
        return Entry(
            key=folder.name,
            model=answer["model"],
            what=answer["what"],
            route=answer["route"],
            size=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
            made_at=answer_file.stat().st_mtime,
        )
    except (OSError, ValueError, KeyError):
        return None
