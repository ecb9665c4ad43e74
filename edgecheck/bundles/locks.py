"""One process at a time per name, over `flock`: the kernel frees the lock of a process that dies."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

_PAUSE = 0.1  # seconds between two attempts: flock itself cannot wait with a deadline


@contextmanager
def locked(file: Path, deadline: float, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock; `waiting` is called once if another process holds it.

    Raises:
        BundleError: it was not free before `deadline` (on the monotonic clock).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        if not _taken(opened):
            waiting()
            while not _taken(opened):
                if time.monotonic() > deadline:
                    raise BundleError(
                        "Another edgecheck is making the same bundle and does not finish.", f"It holds {file}."
                    )
                time.sleep(_PAUSE)
        yield


@contextmanager
def free(file: Path) -> Iterator[bool]:
    """Hold the lock for the block if nobody has it; whether it is held."""
    with file.open("a", encoding="utf-8") as opened:
        yield _taken(opened)


def _taken(opened: IO[str]) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
