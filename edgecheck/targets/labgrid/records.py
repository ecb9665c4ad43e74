"""What a keeper holds, in a file of this machine's state folder: should it be killed, the next one releases that.

A keeper locks its file for as long as it lives; the kernel releases the lock of a process that dies.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A reservation, and the place that was, or was about to be, acquired by it."""

    coordinator: str
    owner: str
    token: str
    place: str = ""


def folder() -> Path:
    """Where the files are."""
    return user_state_path("edgecheck") / "labgrid"


class Record:
    """The file about one reservation, locked by this process.

    Args:
        file: Its descriptor.
        path: Its path.
    """

    def __init__(self, file: int, path: Path) -> None:
        self._file = file
        self.path = path

    @classmethod
    def begun(cls, held: Held) -> Record:
        """A new one.

        Raises:
            OSError: it cannot be written.
        """
        folder().mkdir(parents=True, exist_ok=True)
        path = folder() / f"{held.token}.json"
        record = cls(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), path)
        record.lock()
        record.write(held)
        return record

    def lock(self) -> None:
        """Claim it.

        Raises:
            OSError: its keeper lives.
        """
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, held: Held) -> None:
        """Replace its content; it is on the disk when this returns."""
        text = json.dumps({name: getattr(held, name) for name in Held.__dataclass_fields__}).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text, 0)
        os.fsync(self._file)

    def read(self) -> Held:
        """What it says.

        Raises:
            ValueError: it was not written completely.
        """
        content = json.loads(os.pread(self._file, 1 << 16, 0))
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise ValueError("not a record")
        try:
            return Held(**content)
        except TypeError as error:
            raise ValueError("not a record") from error

    def end(self) -> None:
        """Remove it: nothing is held any more."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave it to the next keeper."""
        os.close(self._file)


def abandoned() -> Iterator[Record]:
    """The records of keepers that do not live any more, each locked for this one."""
    with suppress(OSError):
        for path in sorted(folder().glob("*.json")):
            with suppress(OSError):
                record = Record(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW), path)
                try:
                    record.lock()
                except OSError:
                    record.close()
                    continue
                yield record
