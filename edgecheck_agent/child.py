"""Worker processes: each is started in its own process group, followed, sampled, and ended."""

import contextlib
import importlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from edgecheck_agent import endings, events, jobs, sampling, watching

# Bytes that are kept of the end of a worker's stderr.
TAIL = 4096

# From SIGTERM to SIGKILL.
TERM_GRACE_S = 0.5

# For a worker to exit once it has delivered its results: some runtimes hang while they unload.
EXIT_GRACE_S = 10.0

_PIECE = 65536
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
# onnxruntime (1.32, Linux) collects telemetry: a thread, 2.5 MB, and files in ~/.cache and $TMPDIR.
QUIET = {"ORT_DISABLE_TELEMETRY": "1"}
_PR_SET_PDEATHSIG = 1  # prctl(2), Linux only
_WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")


class Child:
    """A worker, which loads a runtime and then runs one task. As a context manager it leaves no process behind."""

    def __init__(self, runtime: Dict[str, Any], process: int, *, shares: bool) -> None:
        self.runtime = runtime
        self.process = process
        self.started = time.monotonic()
        self.seen = endings.Seen(process)
        self._evidence = endings.Evidence()
        self._unsent = _line(dict(runtime, process=process, started=self.started, shares=shares))
        self._complete = False
        self._held: List[bytes] = []
        self._loading_s: Optional[float] = None
        self._events, theirs = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*runtime["launcher"], sys.executable, _WORKER, str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env=dict(os.environ, **QUIET),
                pass_fds=[theirs],
                start_new_session=True,
                preexec_fn=tie(os.getpid()),  # noqa: PLW1509 - this process has one thread
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
        """End it and every process that it started."""
        self._end_group()
        self._evidence.close()
        for pipe in {*self._readers, self._stdin} - {-1}:
            os.close(pipe)

    @staticmethod
    def _pipe(file: Any) -> int:
        """The descriptor of one of Popen's pipes, to be closed by this class instead of Popen."""
        descriptor = os.dup(file.fileno())
        file.close()
        return descriptor

    def get_ready(self, watch: watching.Watch) -> None:
        """Wait until the worker has loaded its runtime or failed to; its events are kept for `follow`.

        Raises:
            watching.Stopped: the supervisor is to stop.
        """
        while self._process.poll() is None and self._events in self._readers and not self.seen.ready:
            readable, writable = watch.wait(self._readers, [self._stdin] if self._unsent else [])
            if writable:
                self._send_spec()
            self._hear(readable, self._held.append)
        self._loading_s = time.monotonic() - self.started

    def assign(self, spec: Dict[str, Any]) -> None:
        """Send the task. The time that the worker spent waiting for it does not count."""
        if self._loading_s is not None:
            self.started = time.monotonic() - self._loading_s
        self._unsent += _line(dict(spec, process=self.process, started=self.started))
        self._complete = True

    def follow(
        self, watch: watching.Watch, out: events.Stdout, deadline: float, sampler: Optional[sampling.Sampler]
    ) -> Dict[str, Any]:
        """Pass on the worker's events until it has ended; return its `end` event.

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
                self._send_spec()
            self._hear(readable, out.relay)
            if sampler:
                self._sample(sampler, out)
                sampler = None if sampler.over(self.seen.phase) else sampler
            if self.seen.finished and limit == deadline:
                limit = min(deadline, time.monotonic() + EXIT_GRACE_S)
            if time.monotonic() >= limit:
                self.seen.overdue = "the deadline passed" if limit == deadline else "it did not end by itself"
                self._end_group()
        ended = time.monotonic()
        self._drain(out)
        if sampler:
            self._send_samples(sampler, out)
        status = self._process.poll()  # None: it hangs in the kernel, where SIGKILL does not reach it
        tail = _COLOURS.sub("", bytes(self._tail).decode("utf-8", "replace"))
        end = self.seen.end(-signal.SIGKILL if status is None else status, tail, self._evidence, self.pid)
        return dict(end, at_s=round(ended - self.started, 6))

    def _send_spec(self) -> None:
        """Write the next piece of the spec to the worker's stdin."""
        try:
            self._unsent = self._unsent[os.write(self._stdin, self._unsent[: select.PIPE_BUF]) :]
        except BrokenPipeError:  # it has died, as its status will show
            self._unsent = b""
        if self._complete and not self._unsent:
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
        """Pass on complete lines; each piece of a long line is searched only once."""
        first, *rest = piece.split(b"\n")
        self._line += first
        for start in rest:
            line, self._line = bytes(self._line), bytearray(start)
            if self.seen.hear(line):
                relay(line + b"\n")

    def _drain(self, out: events.Stdout) -> None:
        """Read what is left in the pipes of a worker that has ended, without waiting: others may hold them open."""
        for pipe in self._readers:
            os.set_blocking(pipe, False)
        while self._readers:
            ready, _, _ = select.select(self._readers, [], [], 0)
            if not ready:
                break
            self._hear(ready, out.relay)

    def _sample(self, sampler: sampling.Sampler, out: events.Stdout) -> None:
        sampler.take()
        if sampler.full or sampler.over(self.seen.phase):
            self._send_samples(sampler, out)

    def _send_samples(self, sampler: sampling.Sampler, out: events.Stdout) -> None:
        samples, available = sampler.batch()
        self.seen.peak = max(self.seen.peak, sampler.peak)
        out.emit("sample", process=self.seen.process, source=sampler.source, samples=samples, available=available)

    def _end_group(self) -> None:
        """End the worker and every process that it started: TERM, and KILL a moment later."""
        for number, grace_s in ((signal.SIGTERM, TERM_GRACE_S), (signal.SIGKILL, 1.0)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)


def _line(value: Dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


class Ready:
    """A worker started before its job is known, with its runtime loaded, so that the job need not wait for that.

    There is at most one. As a context manager it leaves no process behind.
    """

    def __init__(self, text: Optional[str], watch: watching.Watch) -> None:
        """Start a worker with the runtime that `text` describes (`jobs.RUNTIME_KEYS`, as JSON); None starts none.

        Raises:
            jobs.BadJob: the text does not describe a runtime.
            watching.Stopped: the supervisor is to stop.
        """
        self._worker: Optional[Child] = None
        if text is not None:
            runtime = jobs.parse_runtime(text)
            sampling.psutil_or_none(runtime["python_path"])
            self._worker = Child(runtime, 1, shares=True)
            try:
                self._worker.get_ready(watch)
            except BaseException:
                self._worker.close()
                raise

    def __enter__(self) -> "Ready":
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.close()

    def take(self, runtime: Dict[str, Any], process: int, *, shares: bool) -> Child:
        """The waiting worker if it has this runtime and is to be the first process, else a new one."""
        waiting, self._worker = self._worker, None
        if waiting is not None:
            if waiting.runtime == runtime and process == waiting.process:
                return waiting
            waiting.close()
        return Child(runtime, process, shares=shares)


def tie(parent: int) -> Callable[[], None]:
    """What a child does between fork and exec, so that it dies with its parent and before it when memory runs out.

    `parent` is the process that starts it.
    """
    prctl, resource = _prctl(), _resource()

    def before_exec() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:  # the parent died in between
                os._exit(1)
        if resource is not None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no core file behind
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", 0) as file:
            file.write(b"1000")  # the kernel is to kill the model, not the supervisor or the user's session

    return before_exec


def _prctl() -> Optional[Any]:
    try:  # some small Pythons lack ctypes, macOS lacks prctl
        return importlib.import_module("ctypes").CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def _resource() -> Optional[Any]:
    try:
        return importlib.import_module("resource")
    except ImportError:
        return None
