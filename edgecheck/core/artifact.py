"""The artifact: the model file (or files) that would be shipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The result of a conversion, or a ready file as it is."""

    model: str
    """The model's name as the user knows it."""
    variant: str
    """`as-is`, `float32`, `int8-dynamic`, …"""
    format: str
    """`tflite` or `onnx`."""
    path: PurePath
    """The file to open; external data is next to it."""
    files: tuple[PurePath, ...]
    """Every file that is shipped, `path` first."""
    size: int
    """Bytes, all files."""
    sha256: str
    """Hash of the contents of all files."""
    download: int | None = None
    """Bytes after gzip -9, all files; None where they were not compressed."""
    route: str = "as it is"
    """How it was made: the converter and its version."""
    signature: str = ""
    """Which of its signatures runs, where it has several; empty: the first."""
    params: int | None = None
    """Weights stored; None where the format does not show them."""
    arithmetic: str = "float"
    """The numbers in which most of its multiplications are done: `float` or `int8`."""
    notes: tuple[str, ...] = ()
    """What a person should know about how it was made, a sentence each."""
    seconds: float = 0.0
    """Duration of the conversion when it was done; 0 for a file as it is."""
    peak_memory: int = 0
    """Bytes: the highest peak of the child processes that made it; 0 where it is not known."""
