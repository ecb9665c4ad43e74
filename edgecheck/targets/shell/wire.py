"""One process with a courier at its other end, from its start until both ends have cleaned up."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from edgecheck.core.protocol import MisfitError, parsed
from edgecheck.errors import TargetError
from edgecheck.interrupts import held, stop_of_thread
from edgecheck.targets.shell.opener import Opener

_PIECE = 1 << 16
#: Bytes; a longer line comes neither from a courier nor from an agent.
_LONGEST = 16 * 2**20

#: How many times the usual silence a device may take nothing of a piece while it gives signs of life.
_STALLED = 20

#: Bytes of stderr: in a message, and after which a device only fills the disk.
_TAIL, _MOST_STDERR = 2**16, 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds that the two ends wait for each other."""

    beat: float = 5.0
    """Between two signs of life of this end, each of which the other end answers."""
    silence: float = 30.0
    """Without a sign, after which an end takes the other for gone; a board that is short of memory answers late."""
    greeting: float = 60.0
    """From the start of the process to the courier's first line: a slow board, a slow name server."""
    answer: float = 1800.0
    """For an answer of the courier: it may wait for another one that brings a runtime, and then unpack one."""
    grace: float = 15.0
    """For the other end to clean up when this one leaves."""


#: For people's devices and networks.
PATIENCE = Patience()

#: Seconds for the other end to clean up after an interruption of many boards at once: a person waits for all of them.
_GRACE_OF_MANY = 3.0


class WireBrokenError(TargetError):
    """The connection ended unexpectedly."""


class NoGreetingError(TargetError):
    """The process ended with `code` before the courier had said anything; `said` is its stderr."""

    def __init__(self, name: str, code: int, said: str) -> None:
        super().__init__(_ended(name, code))
        self.code = code
        self.said = said


class NoAnswerError(WireBrokenError):
    """No greeting came in time; `said` is what came instead, a prompt without an end of line too."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class Wire:
    """A context manager around the process; leaving it makes the courier clean up, and waits until it has.

    Args:
        opener: Starts the process.
        remote: The command on the device: a Python that waits for the courier's program.
        patience: How long to wait for what.

    Raises:
        TargetError: the opener's program is missing on this machine.
    """

    def __init__(self, opener: Opener, remote: Sequence[str], patience: Patience) -> None:
        argv = opener.argv(remote)
        self._name = opener.name
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__; a pipe would have to be read
        self._process = _started(argv, self._stderr, opener.package)
        self._stop = stop_of_thread()
        if self._stop is not None:
            self._stop.ended_in_order.add(self._process.pid)
        assert self._process.stdin is not None  # noqa: S101 - a pipe was requested
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
            self.pipes.stop = None  # the goodbye is not interrupted
            if self._greeted:
                self._beats.join()
                with suppress(WireBrokenError, subprocess.TimeoutExpired):
                    self._leave(time.monotonic() + self._grace())
            self.kill()
            if self._stop is not None:
                self._stop.ended_in_order.discard(self._process.pid)
            for pipe in (self._process.stdin, self._process.stdout, self._stderr):
                if pipe is not None:
                    pipe.close()

    def greet(self, program: bytes, greeting: bytes) -> bytes:
        """Send the program, wait for the line that begins with `greeting`, and return the rest of that line.

        Raises:
            NoGreetingError: the process ended before that.
            NoAnswerError: no such line came in time.
        """
        limit = time.monotonic() + self._patience.greeting
        with suppress(WireBrokenError):  # if the process has ended already, its exit code says more
            self.pipes.write(program)
        last = b""
        try:
            while line := self.pipes.line(limit):
                if line.startswith(greeting):
                    self._greeted = True
                    self._heard_before = self._stderr.seek(0, os.SEEK_END)
                    self._beats.start()
                    return line[len(greeting) :].strip()
                last = line
        except WireBrokenError as error:
            printed = last + self.pipes.partial
            raise NoAnswerError(error.message, printed.decode("utf-8", "replace") + self._said()) from error
        raise NoGreetingError(self._name, self._code(), last.decode("utf-8", "replace") + self._said())

    def say(self, **message: object) -> None:
        """Send a line.

        Raises:
            WireBrokenError: the other end does not take it.
        """
        with self._writing:
            self.pipes.write(json.dumps(message).encode() + b"\n")

    def put(self, message: dict[str, object], content: IO[bytes], sent: Callable[[int], None]) -> None:
        """Send a line and then `content`, calling `sent` with the bytes of each piece. Raises as `say` does."""
        with self._writing:
            self._midway = True
            self.pipes.write(json.dumps(message).encode() + b"\n")
            while piece := content.read(_PIECE):
                self.pipes.write(piece, hearing=True)
                sent(len(piece))
            self._midway = False

    def answer(self) -> dict[str, Any]:
        """The next line that is not empty, parsed; raises as `line` does."""
        self.allow(self._patience.answer)
        return message_in(self.line())

    def allow(self, seconds: float) -> None:
        """Read for that long from now on, whatever signs of life may come after it."""
        self.pipes.end = time.monotonic() + seconds

    def line(self) -> bytes:
        """The next line that is not empty, with its end.

        Raises:
            WireBrokenError: no more lines come.
        """
        while (line := self.pipes.line()) == b"\n":
            if os.fstat(self._stderr.fileno()).st_size > _MOST_STDERR:
                raise WireBrokenError(f"the device wrote over {_MOST_STDERR / 2**20:.0f} MiB to stderr")
        if not line:
            code, said = self._code(), self._said().strip()
            raise WireBrokenError(said.splitlines()[-1].rstrip(".") if said else _ended(self._name, code))
        return line

    def _beat(self) -> None:
        while not self._over.wait(self._patience.beat):
            with suppress(WireBrokenError, KeyboardInterrupt), self._writing:  # the thread that reads is the one to end
                self.pipes.write(b"\n")

    def _grace(self) -> float:
        is_one_of_many = self._stop is not None and self._stop.is_set
        return min(self._patience.grace, _GRACE_OF_MANY) if is_one_of_many else self._patience.grace

    def _leave(self, limit: float) -> None:
        """Say goodbye to the courier, and wait until everything has ended there.

        If the process has ended, there is nobody to talk to, and in the middle of an upload nothing can be said.
        """
        if self._midway or self._process.poll() is not None:
            return
        with self._writing:
            self.pipes.write(b"!\n")
        self.pipes.end = math.inf
        self.pipes.drain(limit)  # a full pipe would keep it from ending
        self._process.wait(max(0.0, limit - time.monotonic()))

    def _code(self) -> int:
        """The exit code of the process, which has closed its stdout."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(self._patience.grace)
        self.kill()
        return self._process.wait()

    def _said(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(self._heard_before, size - _TAIL))
        return self._stderr.read().decode("utf-8", "replace")

    def kill(self) -> None:
        """Kill the process, and the proxy or jump that it may have started: to the courier, a broken wire."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _started(argv: Sequence[str], stderr: IO[bytes], package: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,  # Ctrl-C reaches edgecheck alone, which ends the process in good order
        )
    except OSError as error:
        stderr.close()
        raise TargetError(f"{argv[0]} cannot be started: {error.strerror}.", package) from error


def _ended(name: str, code: int) -> str:
    """How a process ended, as a clause."""
    if code >= 0:
        return f"{name} ended with exit code {code}"
    try:
        return f"{name} was killed ({signal.Signals(-code).name})"
    except ValueError:  # a signal without a name
        return f"{name} was killed by signal {-code}"


def message_in(line: bytes) -> dict[str, Any]:
    """The JSON object on a line.

    Raises:
        WireBrokenError: it is not one.
    """
    try:
        return parsed(line)
    except MisfitError as misfit:
        raise WireBrokenError(f"the device sent {misfit}") from misfit


class Pipes:
    """Lines and bytes through two descriptors, which it does not own; no wait is endless.

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
        #: The moment of the monotonic clock after which nothing is read, whatever comes.
        self.end = math.inf
        #: Interrupts every wait; None: only a signal does.
        self.stop = stop_of_thread()

    def line(self, limit: float | None = None) -> bytes:
        """The next line with its end; empty when no more comes.

        Args:
            limit: A moment of the monotonic clock to wait until; None: wait while anything is heard.

        Raises:
            WireBrokenError: nothing was heard, or the line has no end.
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

    @property
    def partial(self) -> bytes:
        """The beginning of a line whose end has not come."""
        return bytes(self._buffer[:_TAIL])

    def drain(self, limit: float) -> None:
        """Read and discard until no more comes; raises as `line` does."""
        while self._fill(limit):
            self._buffer.clear()

    def _fill(self, limit: float | None) -> bool:
        now = time.monotonic()
        if now > min(self.end, math.inf if limit is None else limit):
            raise WireBrokenError("the device kept sending, and did not come to an end in time")
        timeout = self._silence if limit is None else max(0.0, limit - now)
        ready = self._ready([self._stdout], [], timeout)[0]
        if not ready:
            raise WireBrokenError(f"nothing was heard for {timeout:.0f} s")
        data = os.read(self._stdout, _PIECE)
        self._buffer += data
        return bool(data)

    def _ready(self, reading: list[int], writing: list[int], timeout: float) -> tuple[list[int], list[int]]:
        """The descriptors that can be read from and written to; none after the timeout.

        Raises:
            KeyboardInterrupt: the thread was asked to end.
        """
        stop = [] if self.stop is None else [self.stop.fileno()]
        readable, writable, _ = select.select([*reading, *stop], writing, [], timeout)
        if stop and stop[0] in readable:
            raise KeyboardInterrupt
        return readable, writable

    def _hear(self) -> None:
        """Take what has come, which is signs of life, while nothing is asked for."""
        data = os.read(self._stdout, _PIECE)
        if not data:
            raise WireBrokenError("the connection has ended")
        self._buffer += data
        if len(self._buffer) > _LONGEST:
            raise WireBrokenError("the device kept sending without being asked")

    def write(self, data: bytes, *, hearing: bool = False) -> None:
        """Write all of it.

        Args:
            data: What to write.
            hearing: Have patience with an end that takes nothing for as long as it gives signs of life; only for the
                thread that reads lines.

        Raises:
            WireBrokenError: the process does not take it, or has ended.
        """
        rest = memoryview(data)
        stalled = time.monotonic() + _STALLED * self._silence
        while rest:
            ears = [self._stdout] if hearing and time.monotonic() < stalled else []
            heard, ready = self._ready(ears, [self._stdin], self._silence)
            if heard:
                self._hear()
            if not ready and not heard:
                raise WireBrokenError(f"nothing was taken for {self._silence:.0f} s")
            if not ready:
                continue
            try:
                taken = os.write(self._stdin, rest)
            except BlockingIOError:
                continue
            except OSError as error:
                raise WireBrokenError("the connection has ended") from error
            rest = rest[taken:]
