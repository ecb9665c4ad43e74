"""The only place where the supervisor waits, and where it learns that it is to stop."""

import os
import select
import signal
import time
from types import FrameType
from typing import List, Optional, Sequence, Tuple

INTERRUPTED = 130
STOPPED = 143
# select() does not take arbitrarily many seconds.
LONGEST_S = 3600.0


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """Somebody wants the supervisor to end; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Watch:
    """Waits for descriptors, for a moment in time, for signals and for the host to hang up, all together.

    Signals only set a code and write a byte to a pipe: nothing is ever interrupted half way.
    """

    def __init__(self) -> None:
        self._code: Optional[int] = None
        self._stdin = False
        self._heartbeat_s: Optional[float] = None
        self._heard = time.monotonic()
        self._wakeup, write_end = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # wakes the wait below

    def follow_stdin(self, heartbeat_s: Optional[float]) -> None:
        """From now on the end of stdin means stop, and so does its silence for `heartbeat_s` seconds."""
        self._stdin = True
        self._heartbeat_s = heartbeat_s
        self._heard = time.monotonic()

    def wait(
        self, readers: Sequence[int], writers: Sequence[int] = (), until: Optional[float] = None
    ) -> Tuple[List[int], List[int]]:
        """The descriptors that are ready; none when the monotonic clock has reached `until`.

        It also returns, with none ready, when a child process has ended and after an hour.

        Raises:
            Stopped: a signal came, or the host hung up.
        """
        moments = [until] if until is not None else []
        if self._heartbeat_s is not None:
            moments.append(self._heard + self._heartbeat_s)
        timeout = min(max(0.0, min(moments) - time.monotonic()), LONGEST_S) if moments else None
        own = [self._wakeup, 0] if self._stdin else [self._wakeup]
        readable, writable, _ = select.select([*own, *readers], writers, [], timeout)
        if self._wakeup in readable:
            os.read(self._wakeup, 4096)
        if self._stdin:
            self._listen(heard=0 in readable)
        if self._code is not None:
            raise Stopped(self._code)
        return [one for one in readable if one not in own], writable

    def _listen(self, *, heard: bool) -> None:
        now = time.monotonic()
        if heard:
            self._heard = now
            if not os.read(0, 4096):
                self._code = self._code or STOPPED
        elif self._heartbeat_s is not None and now - self._heard >= self._heartbeat_s:
            self._code = self._code or STOPPED

    def _asked_to_stop(self, number: int, _frame: Optional[FrameType]) -> None:
        self._code = INTERRUPTED if number == signal.SIGINT else STOPPED
