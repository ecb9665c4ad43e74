"""An interactive shell on a terminal of its own: keys go in, what it shows comes out."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Escape sequences: colours, cursor moves, modes.
_ESCAPES = re.compile(r"\x1b\[[0-9;?>=]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07|\x07")


@dataclass(slots=True)
class Terminal:
    """Its master side."""

    handle: int
    shown: str = ""

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.handle, keys.encode())

    def wait_for(self, pattern: str, seconds: float = 30) -> str:
        """Read until `pattern` has been shown since the last wait; what was shown up to its end.

        Raises:
            TimeoutError: it did not come.
        """
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, _ESCAPES.sub("", self.shown))):
            ready, _, _ = select.select([self.handle], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"{pattern!r} was not shown: {self.shown!r}")
            self.shown += os.read(self.handle, 4096).decode(errors="replace")
        text = _ESCAPES.sub("", self.shown)
        self.shown = text[found.end() :]
        return text[: found.end()]


@contextmanager
def terminal(argv: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Start a shell there; it is killed in the end."""
    child, handle = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(argv[0], argv, {**os.environ, **environment})
    try:
        yield Terminal(handle)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(handle)
