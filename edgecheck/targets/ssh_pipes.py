"""The two pipes of an ssh process: lines and bytes in and out, none of which is waited for without end."""

from __future__ import annotations

import os
import select
import time

from edgecheck.errors import TargetError

_PIECE = 1 << 16
#: A line of the courier's or the agent's that is longer than this is none.
_LONGEST = 64 * 2**20


class WireBrokenError(TargetError):
    """The connection ended, and nobody had asked for that."""


class Pipes:
    """Reads and writes two descriptors of which it owns neither.

    Args:
        stdin: The process's; it is made non-blocking.
        stdout: The process's.
        silence: Seconds that reading or writing may wait for the other end.
    """

    def __init__(self, stdin: int, stdout: int, silence: float) -> None:
        os.set_blocking(stdin, False)
        self._stdin = stdin
        self._stdout = stdout
        self._silence = silence
        self._buffer = bytearray()
        self.sent = 0
        """Bytes written so far."""
        self.received = 0
        """Bytes read so far."""

    def line(self, limit: float | None = None) -> bytes:
        """The next line with its end; empty when no more comes.

        Args:
            limit: A moment of the monotonic clock to wait until; None: as long as something is heard.

        Raises:
            WireBrokenError: nothing was heard, or what comes is no line.
        """
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > _LONGEST:
                raise WireBrokenError("the device sent a line without an end")
            if not self._fill(limit):
                return b""
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    def drain(self, limit: float) -> None:
        """Read and forget until no more comes; raises as `line` does."""
        while self._fill(limit):
            self._buffer.clear()

    def _fill(self, limit: float | None) -> bool:
        timeout = self._silence if limit is None else max(0.0, limit - time.monotonic())
        ready, _, _ = select.select([self._stdout], [], [], timeout)
        if not ready:
            raise WireBrokenError(f"nothing was heard for {timeout:.0f} s")
        data = os.read(self._stdout, _PIECE)
        self._buffer += data
        self.received += len(data)
        return bool(data)

    def write(self, data: bytes) -> None:
        """Write all of it.

        Raises:
            WireBrokenError: the process does not take it, or has ended.
        """
        rest = memoryview(data)
        while rest:
            _, ready, _ = select.select([], [self._stdin], [], self._silence)
            if not ready:
                raise WireBrokenError(f"nothing was taken for {self._silence:.0f} s")
            try:
                taken = os.write(self._stdin, rest)
            except BlockingIOError:
                continue
            except OSError as error:
                raise WireBrokenError("ssh has ended") from error
            rest = rest[taken:]
            self.sent += taken
