"""The courier's end of the wire: lines and bytes from stdin, lines to stdout, and whether the host is still there.

An empty line is a sign of life, answered by one; `!` says that the host leaves.
"""

import json
import math
import os
import select
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

LEAVING = b"!"
_PIECE = 65536
_POLL_S = 0.1
#: How many signs of life to send unasked, in the time after which the host would give up: what the host has sent ahead
#: lies in front of the signs that it asks for.
_SIGNS = 6
#: Bytes that are read ahead: an upload must not fill the device's memory.
_MOST = 1 << 20
_T = TypeVar("_T")


class Gone(Exception):  # noqa: N818 - it is what happened
    """The host has hung up without a goodbye, or has been silent for too long."""


class Left(Exception):  # noqa: N818 - it is what happened
    """The host has said goodbye."""


class Link:
    """Reads descriptor 0 and writes descriptor 1; nothing else in the process may."""

    def __init__(self, silence_s: float) -> None:
        self.silence_s = silence_s
        self._heard = self._shown = time.monotonic()
        self._buffer = b""

    def message(self) -> "dict[str, Any]":
        """The next line that is not empty.

        Raises:
            Gone: see there.
            Left: see there.
        """
        while True:
            line = self.next_line()
            if line is not None:
                return dict(json.loads(line.decode()))
            self.wait()

    def next_line(self) -> "bytes | None":
        """The next line that is not empty, if it has come already; raises as `message` does."""
        self.write(b"\n" * self.beats())
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        return line

    def beats(self) -> int:
        """How many signs of life have come since the last line; the caller answers them.

        Raises:
            Left: see there.
        """
        rest = self._buffer.lstrip(b"\n")
        count = len(self._buffer) - len(rest)
        self._buffer = rest
        if rest.startswith(LEAVING + b"\n"):
            raise Left
        return count

    def piece(self, most: int) -> bytes:
        """Up to `most` bytes, at least one, of what follows the last line.

        Shows now and then that this end is alive: what a slow device takes in for half a minute may have been sent
        completely, while the host waits for the answer.

        Raises:
            Gone: see there.
        """
        while not self._buffer:
            self.wait()
        self.show()
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        return piece

    def show(self) -> None:
        """Send a sign of life unasked, if the last one was some time ago; raises as `write` does."""
        if time.monotonic() - self._shown >= self.silence_s / _SIGNS:
            self._shown = time.monotonic()
            self.write(b"\n")

    def wait(
        self, readers: "Sequence[int]" = (), writers: "Sequence[int]" = (), until: "float | None" = None
    ) -> "tuple[list[int], list[int]]":
        """Wait until something comes from the host or a descriptor is ready. Returns those that are ready.

        Raises:
            Gone: see there.
        """
        if len(self._buffer) >= _MOST:
            self._heard = time.monotonic()  # the host is ahead of us
        silent = self._heard + self.silence_s
        limit = silent if until is None else min(silent, until)
        timeout = max(0.0, limit - time.monotonic())
        own = [0] if len(self._buffer) < _MOST else []
        readable, writable, _ = select.select([*own, *readers], writers, [], timeout)
        if 0 in readable:
            self._hear()
        elif time.monotonic() >= silent:
            raise Gone(f"nothing was heard for {self.silence_s:g} s")
        return [one for one in readable if one], writable

    def _hear(self) -> None:
        try:
            data = os.read(0, _PIECE)
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            raise Gone("it hung up")
        self._heard = time.monotonic()
        self._buffer += data

    def say(self, **message: Any) -> None:
        """Send a line; raises as `write` does."""
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            Gone: nobody takes them.
        """
        rest = memoryview(data)
        while rest:
            _, ready, _ = select.select([], [1], [], self.silence_s)
            if not ready:
                raise Gone(f"nothing was taken for {self.silence_s:g} s")
            rest = rest[write_some(rest) :]

    def during(self, work: "Callable[[], _T]") -> "_T":
        """Do `work`, which may take long, and return its result; raises as `until` does, once the work has ended."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as threads:
            future = threads.submit(work)
            self.until(future.done)
            return future.result()

    def until(self, what: "Callable[[], bool]", limit: float = math.inf) -> bool:
        """Wait until `what` holds or the monotonic clock reaches `limit`; whether it holds.

        Signs of life are answered, and some are sent unasked: behind a line that the host has sent ahead, its own are
        not seen.

        Raises:
            Gone: see there.
            Left: see there.
        """
        while not what():
            if time.monotonic() >= limit:
                return False
            self.wait(until=time.monotonic() + _POLL_S)
            self.write(b"\n" * self.beats())
            self.show()
        return True


def write_some(data: "memoryview | bytes") -> int:
    """Write to stdout, which is ready, as much as never blocks. Returns the number of bytes.

    Raises:
        Gone: nobody is there to read it.
    """
    try:
        return os.write(1, data[: select.PIPE_BUF])
    except OSError as error:
        raise Gone(str(error)) from error
