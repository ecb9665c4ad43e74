"""The emulator's part of the cache: systems, their boot archives, disks, plugins, saved machines and results."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from edgecheck.errors import EmulatorError
from edgecheck.store import Store

_CHUNK = 1 << 20
_ZEROS = bytes(_CHUNK)


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder with one store for each kind of entry."""

    root: Path

    @property
    def images(self) -> Store:
        """Systems, by the version of their Python."""
        return self._store("images", "system")

    @property
    def boot(self) -> Store:
        """Initramfs archives, by system and scripts."""
        return self._store("boot", "initramfs")

    @property
    def disks(self) -> Store:
        """Disks with a runtime bundle or an agent."""
        return self._store("disks", "disk")

    @property
    def states(self) -> Store:
        """Saved machines."""
        return self._store("states", "machine")

    @property
    def plugins(self) -> Store:
        """Compiled plugins."""
        return self._store("plugins", "plugin")

    @property
    def results(self) -> Store:
        """What agents reported, by everything that decides it."""
        return self._store("results", "measurement")

    def _store(self, kind: str, what: str) -> Store:
        return Store(folder=self.root / kind, what=what, error=EmulatorError, digest=sparse_digest)


def default_cache() -> Cache:
    """The one in the user's cache folder."""
    return Cache(user_cache_path("edgecheck") / "emulator")


def sparse_digest(path: Path) -> str:
    """sha256 of a file's size and its megabytes that are not all zeros, each with its offset; fast on sparse files."""
    result = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        for offset in _data_offsets(file.fileno()):
            file.seek(offset)
            chunk = file.read(_CHUNK)
            if chunk != _ZEROS[: len(chunk)]:
                result.update(f"@{offset}:".encode() + chunk)
    return result.hexdigest()


def _data_offsets(descriptor: int) -> Iterator[int]:
    """Offsets of the megabytes that are not entirely in a hole."""
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
