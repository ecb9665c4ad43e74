"""Passes the agent's lines to the host as they come, keeps them, and passes the host's signs of life to the agent."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from edgecheck.targets.courier import link as links

#: Seconds that the agent has to end itself and its workers once its stdin is closed.
GRACE_S = 8.0
_MOST = 8 * 2**20
_PIECE = 1 << 16


class Relay:
    """Between one agent and one host.

    Args:
        link: To the host.
        agent: A process with pipes for stdin and stdout.
        kept: Where the lines are kept for a host that comes back.
        complaint: Returns what the agent wrote to stderr; called once it has ended.
    """

    def __init__(
        self,
        link: links.Link,
        agent: "subprocess.Popen[bytes]",
        kept: "IO[bytes]",
        complaint: "Callable[[], str]",
    ) -> None:
        assert agent.stdin is not None  # noqa: S101 - a pipe was requested
        assert agent.stdout is not None  # noqa: S101 - as above
        self._link = link
        self._agent = agent
        self._stdin, self._stdout = agent.stdin, agent.stdout
        self._kept = kept
        self._complaint = complaint
        self._partial = b""
        self._pending = bytearray()

    def run(self) -> None:
        """Run until the host leaves, which it does after the last line.

        Raises:
            links.Gone: it left without a goodbye; the agent has ended, and its lines are kept.
            links.Left: it said goodbye; the agent has ended.
        """
        try:
            self._link.say(started=True)
            while True:
                self._turn()
        finally:
            self._stop()

    def _turn(self) -> None:
        """Wait for the next event, and pass it on."""
        reading = not self._stdout.closed and len(self._pending) < _MOST
        readable, writable = self._link.wait([self._stdout.fileno()] if reading else [], [1] if self._pending else [])
        if readable:
            self._take()
        for _ in range(self._link.beats()):
            self._pending += b"\n"
            with suppress(OSError, ValueError):  # the agent has ended
                self._stdin.write(b"\n")
        if writable:
            del self._pending[: links.write_some(bytes(self._pending[:_PIECE]))]

    def _take(self) -> None:
        """Take what the agent wrote; an incomplete line waits for its rest."""
        piece = os.read(self._stdout.fileno(), _PIECE)
        complete, newline, self._partial = (self._partial + piece).rpartition(b"\n")
        self._keep(complete + newline)
        if not piece:
            self._stdout.close()
            last = {"event": "left", "code": self._code(), "complaint": self._complaint()}
            self._keep(json.dumps(last).encode() + b"\n")

    def _keep(self, lines: bytes) -> None:
        self._pending += lines
        with suppress(OSError):  # the disk is full; the host has the lines
            self._kept.write(lines)

    def _code(self) -> int:
        try:
            return self._agent.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            kill(self._agent)
            return self._agent.wait()

    def _stop(self) -> None:
        """Have the agent end itself, and take its last lines."""
        with suppress(OSError):
            self._stdin.close()
        limit = time.monotonic() + GRACE_S
        while not self._stdout.closed:
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, limit - time.monotonic()))
            if ready:
                self._take()
            elif time.monotonic() >= limit:
                kill(self._agent)
                limit = time.monotonic() + GRACE_S


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and its group; the agent's workers are tied to it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
