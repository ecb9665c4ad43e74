"""One worker process: started in a group of its own, listened to, sampled, and ended."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from edgecheck_agent import endings, oom, sampling, tying, watching, wire

TAIL = 4096
TERM_GRACE_S = 0.5
EXIT_GRACE_S = 10.0  # a runtime that hangs while it unloads has given its results already
_PIECE = 65536
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
# onnxruntime (1.32, Linux) collects telemetry: a thread, 2.5 MB, and files in ~/.cache and $TMPDIR.
_QUIET = {"ORT_DISABLE_TELEMETRY": "1"}
_WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")


class Child:
    """A worker that loads a runtime, and then does one thing. As a context manager it leaves no process behind."""

    def __init__(self, runtime: Dict[str, Any], process: int, *, shares: bool) -> None:
        self.runtime = runtime
        self.process = process
        self.started = time.monotonic()
        self.seen = endings.Seen(process)
        self._evidence = oom.Evidence()
        self._unsent = _line(dict(runtime, process=process, started=self.started, shares=shares))
        self._told_all = False
        self._held: List[bytes] = []
        self._loading_s: Optional[float] = None
        self._events, theirs = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, _WORKER, str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env=dict(os.environ, **_QUIET),
                pass_fds=[theirs],
                start_new_session=True,
                preexec_fn=tying.tie(os.getpid()),  # noqa: PLW1509 - this process has one thread
            )
        finally:
            os.close(theirs)
        self.pid = self._process.pid
        self._stdin, self._noise = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
        self._readers = [self._events, self._noise]
        self._line = bytearray()
        self._tail = bytearray()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and whatever it started."""
        self._end_group()
        self._evidence.close()
        for pipe in {*self._readers, self._stdin} - {-1}:
            os.close(pipe)

    @staticmethod
    def _pipe(file: Any) -> int:
        """The descriptor of one of Popen's pipes, which is closed by us from here on."""
        descriptor = os.dup(file.fileno())
        file.close()
        return descriptor

    def get_ready(self, watch: watching.Watch) -> None:
        """Wait until the worker has loaded its runtime, or failed to; what it says is kept for `follow`.

        Raises:
            watching.Stopped: the supervisor is to stop.
        """
        while self._process.poll() is None and self._events in self._readers and not self.seen.ready:
            readable, writable = watch.wait(self._readers, [self._stdin] if self._unsent else [])
            if writable:
                self._tell()
            self._hear(readable, self._held.append)
        self._loading_s = time.monotonic() - self.started

    def give(self, spec: Dict[str, Any]) -> None:
        """Say what it is to do. The time in which it only waited for that does not count."""
        if self._loading_s is not None:
            self.started = time.monotonic() - self._loading_s
        self._unsent += _line(dict(spec, process=self.process, started=self.started))
        self._told_all = True

    def follow(
        self, watch: watching.Watch, out: wire.Wire, deadline: float, sampler: Optional[sampling.Sampler]
    ) -> Dict[str, Any]:
        """Pass on what the worker says until it has ended, and give its `end` event.

        Raises:
            watching.Stopped: the supervisor is to stop.
        """
        limit = deadline
        for line in self._held:
            out.relay(line)
        while self._process.poll() is None and not self.seen.overdue:
            until = min(limit, sampler.due) if sampler else limit
            readable, writable = watch.wait(self._readers, [self._stdin] if self._unsent else [], until)
            if writable:
                self._tell()
            self._hear(readable, out.relay)
            if sampler:
                self._sample(sampler, out)
                sampler = None if sampler.over(self.seen.phase) else sampler
            if self.seen.finished and limit == deadline:
                limit = min(deadline, time.monotonic() + EXIT_GRACE_S)
            if time.monotonic() >= limit:
                self.seen.overdue = "the deadline passed" if limit == deadline else "it did not end by itself"
                self._end_group()
        self._drain(out)
        if sampler:
            self._send(sampler, out)
        status = self._process.poll()  # None: it hangs in the kernel, out of reach of SIGKILL
        tail = _COLOURS.sub("", bytes(self._tail).decode("utf-8", "replace"))
        return self.seen.end(-signal.SIGKILL if status is None else status, tail, self._evidence, self.pid)

    def _tell(self) -> None:
        """Give the worker the next piece of what it has to know."""
        try:
            self._unsent = self._unsent[os.write(self._stdin, self._unsent[: select.PIPE_BUF]) :]
        except BrokenPipeError:  # it has died, which its status will tell
            self._unsent = b""
        if self._told_all and not self._unsent:
            os.close(self._stdin)
            self._stdin = -1

    def _hear(self, readable: List[int], relay: Callable[[bytes], None]) -> None:
        for pipe in readable:
            piece = os.read(pipe, _PIECE)
            if not piece:
                self._readers.remove(pipe)
                os.close(pipe)
            elif pipe == self._noise:
                self._tail = (self._tail + piece)[-TAIL:]
            else:
                self._relay(piece, relay)

    def _relay(self, piece: bytes, relay: Callable[[bytes], None]) -> None:
        """Pass on the lines that are whole; pieces of a long one are searched but once each."""
        first, *rest = piece.split(b"\n")
        self._line += first
        for start in rest:
            line, self._line = bytes(self._line), bytearray(start)
            if self.seen.hear(line):
                relay(line + b"\n")

    def _drain(self, out: wire.Wire) -> None:
        """Read what is still in the pipes of a worker that has ended, without waiting for who else may hold them."""
        for pipe in self._readers:
            os.set_blocking(pipe, False)
        while self._readers:
            ready, _, _ = select.select(self._readers, [], [], 0)
            if not ready:
                break
            self._hear(ready, out.relay)

    def _sample(self, sampler: sampling.Sampler, out: wire.Wire) -> None:
        sampler.take()
        if sampler.full or sampler.over(self.seen.phase):
            self._send(sampler, out)

    def _send(self, sampler: sampling.Sampler, out: wire.Wire) -> None:
        samples, available = sampler.batch()
        self.seen.peak = max(self.seen.peak, sampler.peak)
        out.emit("sample", process=self.seen.process, source=sampler.source, samples=samples, available=available)

    def _end_group(self) -> None:
        """End the worker and whatever it started: TERM, and KILL a moment later."""
        for number, grace_s in ((signal.SIGTERM, TERM_GRACE_S), (signal.SIGKILL, 1.0)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)


def _line(value: Dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
