"""sha256 of files, and of bytes on their way into a file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20


class Writable(Protocol):
    """Something that takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Take them all."""


class HashingWriter:
    """Passes bytes on and keeps their count and sha256."""

    def __init__(self, into: Writable) -> None:
        self._into = into
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Count, hash and pass on `data`."""
        self._hash.update(data)
        self.size += len(data)
        return self._into.write(data)

    def flush(self) -> None:
        """Nothing is held back here."""

    @property
    def sha256(self) -> str:
        """Of what came so far."""
        return self._hash.hexdigest()


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
