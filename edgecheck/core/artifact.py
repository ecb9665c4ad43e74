"""The file that would be shipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a conversion made, or a ready file as it is."""

    model: str
    """The model's name as the user knows it."""
    variant: str
    """`as-is`, `float32`, `int8-dynamic`, …"""
    format: str
    """What a runtime takes: `tflite` or `onnx`."""
    path: PurePath
    """The file to open; external data lies beside it."""
    files: tuple[PurePath, ...]
    """Every file that is shipped, `path` first."""
    size: int
    """Bytes, all files."""
    sha256: str
    """Of the contents of all files."""
    download: int | None = None
    """Bytes after gzip -9, all files; None where nobody has compressed them."""
    route: str = "as it is"
    """How it was made: the converter and its version."""
    params: int | None = None
    """Weights stored; None where the format does not show them."""
    arithmetic: str = "float"
    """In which numbers most of its multiplications are done: `float` or `int8`."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was made, a sentence each."""
    seconds: float = 0.0
    """The conversion took so long, when it was made; 0 for a file as it is."""
    peak_memory: int = 0
    """Bytes, the highest of the child processes that made it; 0 where it is not known."""
