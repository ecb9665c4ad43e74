"""One QEMU process and the sockets to it: started, read from, written to, waited for while it works, killed."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from edgecheck.deadline import Deadline
from edgecheck.emulator import programs
from edgecheck.emulator.hardware import WIRES, Hardware, command
from edgecheck.errors import EmulatorError

# How long edgecheck waits for QEMU: on a busy host it often waits for a processor itself. That time does not count, up
# to a generous end.

#: The end on the wall: this many times the time allowed.
_STARVED = 10.0


class Patience:
    """The time that a started QEMU is allowed, without the time that it was kept from a processor.

    Args:
        seconds: The time allowed.
        pid: QEMU's process.
    """

    def __init__(self, seconds: float, pid: int) -> None:
        self._seconds = seconds
        self._pid = pid
        self._began = time.monotonic()
        self._waited_before = _waited(pid) or 0.0
        self._waited = 0.0

    def remaining(self) -> float:
        """Seconds until the time can be up at the earliest, never below zero; later it may be up even later."""
        wall = time.monotonic() - self._began
        allowed = self._seconds - (wall - self._kept_waiting(wall))
        return max(0.0, min(allowed, self._seconds * _STARVED - wall))

    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining() == 0.0

    def account(self) -> str:
        """How much of the time since the start QEMU waited for a processor, as the end of a sentence."""
        wall = time.monotonic() - self._began
        waited = self._kept_waiting(wall)
        if waited < wall / 10:
            return f"after {wall:.0f} s"
        return f"after {wall:.0f} s, of which QEMU waited {waited:.0f} s for a processor of this busy host"

    def _kept_waiting(self, wall: float) -> float:
        """Seconds; those of an ended process are as they were last seen."""
        waited = _waited(self._pid)
        if waited is not None:
            self._waited = min(max(self._waited, waited - self._waited_before), wall)
        return self._waited


def _waited(pid: int) -> float | None:
    """Seconds that the busiest thread of a process was ready to run and did not; None if that is unknown.

    Linux has it in schedstat (Documentation/scheduler/sched-stats): nanoseconds on a processor, and nanoseconds of
    waiting for one. Elsewhere the time that QEMU was not on a processor is taken for it, which is generous.
    """
    found = [_schedstat(path) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    known = [each for each in found if each is not None]
    if known:
        return max(known)[1]
    return _off_processor(pid)


def _schedstat(path: Path) -> tuple[float, float] | None:
    try:
        running, waiting = path.read_text(encoding="ascii").split()[:2]
    except (OSError, ValueError):  # the thread ended
        return None
    return int(running) / 1e9, int(waiting) / 1e9


def _off_processor(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return max(0.0, time.time() - process.create_time() - times.user - times.system)
    except psutil.Error:
        return None


#: When a wait for QEMU ends.
Limit = Deadline | Patience

#: Seconds until a killed QEMU must be gone, on a host that is very busy.
_DYING = 120.0


class Qemu:
    """A running QEMU; leaving the context kills it and everything that it started.

    Args:
        hardware: What it emulates.
        more: More arguments, as `-incoming defer`.
    """

    def __init__(self, hardware: Hardware, *more: str) -> None:
        pairs = {name: socket.socketpair() for name in WIRES}
        theirs = {name: pair[1] for name, pair in pairs.items()}
        self._sockets = {name: pair[0] for name, pair in pairs.items()}
        argv = [*_leash(), *command(hardware, {name: wire.fileno() for name, wire in theirs.items()}), *more]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[wire.fileno() for wire in theirs.values()],
                start_new_session=True,  # Ctrl-C is for edgecheck, which then ends QEMU
            )
        except BaseException:
            self._close()
            raise
        finally:
            for wire in theirs.values():
                wire.close()
        self._selector = selectors.DefaultSelector()
        for name, wire in self._sockets.items():
            if name != "qmp":
                self._selector.register(wire, selectors.EVENT_READ, name)
        self._replies = b""

    def __enter__(self) -> Qemu:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._selector.close()
        self._close()
        if self._process.stderr:
            self._process.stderr.close()

    @property
    def pid(self) -> int:
        """The process, which leads a process group."""
        return self._process.pid

    def receive(self, deadline: Limit) -> Iterator[tuple[str, bytes]]:
        """Wire and bytes, as they come, until QEMU has closed all wires or the deadline has passed."""
        while self._selector.get_map():
            ready = self._selector.select(deadline.remaining())
            if not ready and deadline.passed():
                return
            for key, _ in ready:
                data = _received(key.fileobj)
                if data:
                    yield key.data, data
                else:
                    self._selector.unregister(key.fileobj)

    def send(self, wire: str, data: bytes) -> None:
        """Write to a wire. If QEMU is gone nothing is raised here: its ending says so."""
        with contextlib.suppress(OSError):
            self._sockets[wire].sendall(data)

    def ask(self, name: str, deadline: Limit, **arguments: Any) -> Any:
        """The reply to a command of QEMU's machine protocol.

        Raises:
            EmulatorError: QEMU refused, is gone, or did not answer in time.
        """
        self.send("qmp", _request(name, arguments))
        return self._answer(name, deadline)

    def lend(self, name: str, descriptor: int, deadline: Limit) -> None:
        """Pass a descriptor to QEMU, which its protocol then calls `fd:name`. Raises as `ask`."""
        with contextlib.suppress(OSError):  # as in `send`
            socket.send_fds(self._sockets["qmp"], [_request("getfd", {"fdname": name})], [descriptor])
        self._answer("getfd", deadline)

    def end(self, deadline: Limit) -> int:
        """Wait for QEMU to exit; returns its exit status, or minus the number of the signal that killed it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(deadline.remaining())
        self.kill()
        return self._process.wait(_DYING)

    def kill(self) -> None:
        """End QEMU and whatever it started, now."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_DYING)

    def complaint(self) -> str:
        """What QEMU wrote to its standard error; to be read once, when it has exited."""
        if self._process.stderr is None:
            return ""
        lines = self._process.stderr.read().decode(errors="replace").splitlines()
        return " / ".join(line.removeprefix("qemu-system-aarch64: ") for line in lines[-3:])

    def _answer(self, name: str, deadline: Limit) -> Any:
        while True:
            reply = json.loads(self._line(deadline))
            if "error" in reply:
                raise EmulatorError(
                    f"QEMU refused {name}: {reply['error']['desc']}", "See what works here: edgecheck doctor"
                )
            if "return" in reply:
                return reply["return"]

    def _line(self, deadline: Limit) -> bytes:
        wire = self._sockets["qmp"]
        while b"\n" not in self._replies:
            wire.settimeout(max(deadline.remaining(), 0.001))
            try:
                data = wire.recv(65536)
            except TimeoutError as error:
                if not deadline.passed():
                    continue
                raise EmulatorError("QEMU does not answer.", "Run fewer checks at once: -j 1") from error
            except OSError:
                data = b""  # its end was closed before it read our last message
            if not data:
                raise EmulatorError(ended(self.end(deadline), self.complaint()))
            self._replies += data
        line, _, self._replies = self._replies.partition(b"\n")
        return line

    def _close(self) -> None:
        for wire in self._sockets.values():
            wire.close()


def ended(status: int, complaint: str = "") -> str:
    """How QEMU ended, in a sentence, and its own words about it in another."""
    how = f"QEMU was killed by signal {-status}." if status < 0 else f"QEMU ended with status {status}."
    return f"{how} {complaint}." if complaint else how


def _request(name: str, arguments: dict[str, Any]) -> bytes:
    request = {"execute": name, "arguments": arguments} if arguments else {"execute": name}
    return json.dumps(request).encode() + b"\n"


def _received(wire: object) -> bytes:
    try:
        return wire.recv(65536) if isinstance(wire, socket.socket) else b""
    except OSError:  # killed while it wrote
        return b""


def _leash() -> tuple[str, ...]:
    """The words before QEMU's argv that make it die with edgecheck, even when edgecheck is killed with SIGKILL.

    To the kernel the parent is the thread that started QEMU (prctl(2), PR_SET_PDEATHSIG): it must outlive QEMU.
    """
    return ("setpriv", "--pdeathsig", "KILL", "--") if programs.find("setpriv") else ()
