"""Runs the agent as a target does: its supervisor as a separate process, a job in, JSON lines out."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

AGENT = Path(__file__).parents[2] / "edgecheck_agent"
SUPERVISOR = AGENT / "supervisor.py"
MARK = "EDGECHECK_TEST_MARK"
PATIENCE_S = 60.0

Event = dict[str, Any]
Array = npt.NDArray[Any]

QUICK = {"warmup_count": 1, "warmup_s": 0, "min_count": 10, "min_s": 0, "max_s": 5}
ONE_PROCESS = {"processes": [1, 1]}
TWO_INFERENCES = {"batch_s": 0.0001, "max_batches": 2}


@dataclass(frozen=True, slots=True)
class AgentRun:
    """What a supervisor wrote, and how it ended."""

    events: list[Event]
    code: int
    stderr: str

    def of(self, kind: str, **fields: object) -> list[Event]:
        return [
            event
            for event in self.events
            if event["event"] == kind and all(event[name] == value for name, value in fields.items())
        ]

    @property
    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events]

    @property
    def end(self) -> Event:
        """How the last process ended."""
        return self.of("end")[-1]

    @property
    def ending(self) -> tuple[str, str, str | None]:
        return self.end["outcome"], self.end["phase"], self.end["reason"]

    @property
    def purposes(self) -> list[str]:
        return [event["purpose"] for event in self.of("start")]

    def codes(self) -> set[str]:
        """Of all notes."""
        return {event["code"] for event in self.of("note")}


def job(model: Path, **fields: object) -> dict[str, object]:
    """A job whose format is the file's ending."""
    return {"protocol": 1, "model": str(model), "format": model.suffix[1:], **fields}


def run(job: dict[str, object] | str, python: str | Path = sys.executable) -> AgentRun:
    """Give the job on stdin, close it, and wait for the end."""
    text = job if isinstance(job, str) else json.dumps(job)
    done = subprocess.run(
        [str(python), str(SUPERVISOR), "-"], input=text.encode(), capture_output=True, timeout=PATIENCE_S, check=False
    )
    return agent_run(done.stdout, done.stderr, done.returncode)


def agent_run(stdout: bytes, stderr: bytes, code: int) -> AgentRun:
    """Every line must be an event: nothing else ever comes on stdout."""
    return AgentRun([json.loads(line) for line in stdout.splitlines()], code, stderr.decode())


def decoded(output: Event) -> Array:
    """The tensor of an `output` event."""
    data = base64.b64decode(output["base64"])
    values: Array = np.frombuffer(data, dtype=output["dtype"]).reshape(output["shape"])
    return values


class Live:
    """A supervisor that is still running; use it as a context manager."""

    def __init__(
        self, job: dict[str, object], *, python: str | Path = sys.executable, group: Path | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [str(python), str(SUPERVISOR), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.seen: list[Event] = []
        self._watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self._watchdog.start()
        if group:
            (group / "cgroup.procs").write_text(str(self.process.pid))
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job).encode() + b"\n")

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self._watchdog.join()
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        self.process.wait(PATIENCE_S)

    def until(self, kind: str, **fields: object) -> Event:
        """The next event of that kind, with those fields; fails when the supervisor ends before it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: Event = json.loads(line)
            self.seen.append(event)
            if event["event"] == kind and all(event[name] == value for name, value in fields.items()):
                return event
        raise AssertionError(f"no {kind} in {self.seen}")

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def rest(self) -> AgentRun:
        """What comes until it ends."""
        process = self.process
        assert process.stdout is not None
        assert process.stderr is not None
        lines = process.stdout.read()
        stderr = process.stderr.read()
        return agent_run(lines, stderr, process.wait(PATIENCE_S))


def marked_processes(mark: str) -> list[str]:
    """The command lines of processes that were started, at whatever remove, by the test with this mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{MARK}={mark}".encode() in environment.split(b"\0") and int(folder.name) != os.getpid():
            found.append(command.replace(b"\0", b" ").decode())
    return found


def soon_gone(mark: str) -> list[str]:
    """What is left of the marked processes after a while: the kernel takes a moment to kill them with their parent."""
    limit = time.monotonic() + 5
    while (left := marked_processes(mark)) and time.monotonic() < limit:
        time.sleep(0.01)
    return left
