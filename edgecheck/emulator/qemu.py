"""One QEMU process and the sockets to it: started, read from, written to, killed."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from edgecheck.deadline import Deadline
from edgecheck.emulator import programs
from edgecheck.emulator.hardware import WIRES, Hardware, command
from edgecheck.emulator.patience import Patience
from edgecheck.errors import EmulatorError

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
                raise EmulatorError(f"QEMU refused {name}: {reply['error']['desc']}")
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
                raise EmulatorError("QEMU does not answer.") from error
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
