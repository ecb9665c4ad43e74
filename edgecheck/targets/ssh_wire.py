"""One ssh process with a courier at its other end, from its start until both have cleared up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from edgecheck.errors import TargetError
from edgecheck.interrupts import held
from edgecheck.targets.ssh_pipes import Pipes, WireBrokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that the two ends wait for each other."""

    beat: float = 5.0
    """Between two signs of life of this end, each of which the other answers."""
    silence: float = 30.0
    """Without any, after which either takes the other for gone; a board that is short of memory answers late."""
    greeting: float = 60.0
    """From the start of ssh to the courier's first line: a slow board, a slow name server."""
    grace: float = 15.0
    """For the other end to clear up when this one leaves."""


#: For people's devices and networks.
PATIENCE = Patience()


class NoGreetingError(TargetError):
    """ssh ended with `code` before the courier had said anything; `said` is its stderr."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"ssh ended with exit code {code}")
        self.code = code
        self.said = said


class Wire:
    """A context manager around one ssh process; leaving it tells the courier to clear up, and waits for that.

    Args:
        argv: Starts ssh with a Python at its other end that waits for the courier's program.
        patience: How long to wait for what.

    Raises:
        TargetError: there is no ssh here.
    """

    def __init__(self, argv: Sequence[str], patience: Patience) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__; a pipe would have to be read
        self._process = _started(argv, self._stderr)
        assert self._process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        assert self._process.stdout is not None  # noqa: S101 - as above
        self.pipes = Pipes(self._process.stdin.fileno(), self._process.stdout.fileno(), patience.silence)
        self._patience = patience
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._beats = threading.Thread(target=self._beat, name="edgecheck-beat", daemon=True)
        self._greeted = False
        self._heard_before = 0  # bytes of stderr before the greeting: banners, warnings
        self._midway = False

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        with held():  # an impatient second Ctrl-C must not leave the agent behind
            self._over.set()
            if self._greeted:
                self._beats.join()
                with suppress(WireBrokenError, subprocess.TimeoutExpired):
                    self._leave(time.monotonic() + self._patience.grace)
            self.kill()
            for pipe in (self._process.stdin, self._process.stdout, self._stderr):
                if pipe is not None:
                    pipe.close()

    def greet(self, program: bytes, greeting: bytes) -> dict[str, Any]:
        """Send the program and wait for the line that begins with `greeting`; its rest.

        Raises:
            NoGreetingError: ssh ended before that.
            WireBrokenError: nothing of the kind came in time.
        """
        limit = time.monotonic() + self._patience.greeting
        with suppress(WireBrokenError):  # if it has ended already, its exit code says more
            self.pipes.write(program)
        last = b""
        while line := self.pipes.line(limit):
            if line.startswith(greeting):
                self._greeted = True
                self._heard_before = self._stderr.seek(0, os.SEEK_END)
                self._beats.start()
                return _parsed(line[len(greeting) :])
            last = line
        raise NoGreetingError(self._code(), last.decode("utf-8", "replace") + self._said())

    def say(self, **message: object) -> None:
        """Send a line.

        Raises:
            WireBrokenError: it is not taken.
        """
        with self._writing:
            self.pipes.write(json.dumps(message).encode() + b"\n")

    def put(self, message: dict[str, object], content: IO[bytes], sent: Callable[[int], None]) -> None:
        """Send a line and what belongs to it; `sent` is told the bytes of each piece. Raises as `say` does."""
        with self._writing:
            self._midway = True
            self.pipes.write(json.dumps(message).encode() + b"\n")
            while piece := content.read(_PIECE):
                self.pipes.write(piece)
                sent(len(piece))
            self._midway = False

    def answer(self) -> dict[str, Any]:
        """The next line with something in it, taken apart; raises as `line` does."""
        return _parsed(self.line())

    def line(self) -> bytes:
        """The next line with something in it, and its end.

        Raises:
            WireBrokenError: none comes any more.
        """
        while (line := self.pipes.line()) == b"\n":
            pass
        if not line:
            code, said = self._code(), self._said().strip()
            raise WireBrokenError(said.splitlines()[-1] if said else f"ssh ended with exit code {code}")
        return line

    def _beat(self) -> None:
        while not self._over.wait(self._patience.beat):
            with suppress(WireBrokenError), self._writing:
                self.pipes.write(b"\n")

    def _leave(self, limit: float) -> None:
        """Tell the courier, and wait until all has ended there.

        Where ssh has ended, nobody is there to tell, and amid an upload nothing can be said.
        """
        if self._midway or self._process.poll() is not None:
            return
        with self._writing:
            self.pipes.write(b"!\n")
        self.pipes.drain(limit)  # a full pipe would keep it from ending
        self._process.wait(max(0.0, limit - time.monotonic()))

    def _code(self) -> int:
        """What ssh ended with; it has closed its stdout."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(self._patience.grace)
        self.kill()
        return self._process.wait()

    def _said(self) -> str:
        self._stderr.seek(self._heard_before)
        return self._stderr.read().decode("utf-8", "replace")

    def kill(self) -> None:
        """End ssh at once, and the proxy or jump that it may have started; the courier takes that for a broken wire."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _started(argv: Sequence[str], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it in good order
        )
    except OSError as error:
        stderr.close()
        raise TargetError(
            f"{argv[0]} cannot be started: {error.strerror}.", "Install the OpenSSH client (openssh-client)."
        ) from error


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise WireBrokenError(f"the device sent a line that is no message: {line[:80]!r}")
    return message
