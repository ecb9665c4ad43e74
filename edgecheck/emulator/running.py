"""A started machine: talk to its init, read the output of the command in it, find out how it ended."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from edgecheck.deadline import Deadline
from edgecheck.emulator.qemu import Patience, Qemu, ended
from edgecheck.errors import EmulatorError

#: Seconds from the command's end to QEMU's, on a busy host; its result is there by then.
_POWER_OFF = 60.0


class How(Enum):
    """The ways in which a machine can end."""

    FINISHED = "finished"
    """The command exited with `Ending.status`, and the machine powered itself off."""
    PANIC = "panic"
    """The machine's kernel stopped."""
    DEADLINE = "deadline"
    """The machine was killed because its time was up."""
    DIED = "died"
    """QEMU exited by itself or was killed, before the command's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The way in which a machine ended, with the evidence."""

    how: How
    status: int | None
    """The command's exit status as a shell sees it (137: killed by signal 9); None if it never ended."""
    reason: str
    """One sentence; empty where the command finished."""
    out_of_memory: tuple[str, ...]
    """The OOM killer's own lines: it may have killed a process of a command that then finished."""
    errors: str
    """What the command wrote to its standard error."""
    console: str
    """What the kernel printed."""


class Running:
    """A machine from its start, or its resumption, to its end.

    Args:
        qemu: The process; its creator kills it.
        patience: When every wait ends.
    """

    def __init__(self, qemu: Qemu, patience: Patience) -> None:
        self._qemu = qemu
        self._patience = patience
        self._text = {"console": b"", "control": b"", "errors": b"", "output": b""}

    def ready(self) -> int:
        """Wait for the machine's init; returns the bytes of MemAvailable that it found. Raises as `answer`."""
        return int(self.answer("ready"))

    def start(self, command: Sequence[str]) -> None:
        """Start the command; it waits for its standard input from `go`."""
        self._say(f"start {shlex.join(command)}")

    def settle(self) -> None:
        """Wait until everything in the machine sleeps. Raises as `answer`."""
        self._say("settle")
        self.answer("settled")

    def mount(self) -> None:
        """Mount the job's disk at /job. Raises as `answer`."""
        self._say("job")
        self.answer("mounted")

    def go(self, data: bytes) -> None:
        """Send the command its standard input, which stays open; from now on the machine ends when the command does."""
        self._say("wait")
        self.feed(data)

    def feed(self, data: bytes) -> None:
        """Send the command more standard input."""
        self._qemu.send("input", data)

    def file(self) -> bytes:
        """A file that the command writes to its standard output after a line with its size.

        The command then waits for a line of input: a machine that powers off loses what the host has not read yet. Less
        than the size is returned where the machine ended before.
        """
        for _ in self._hear():
            size, newline, content = self._text["output"].partition(b"\n")
            if newline and len(content) >= int(size):
                self.feed(b"\n")
                return content
        return b""

    def lines(self) -> Iterator[str]:
        """The lines that the command writes to its standard output, as they come; ends when the machine does."""
        for _ in self._hear():
            *complete, self._text["output"] = self._text["output"].split(b"\n")
            yield from (line.decode(errors="replace") for line in complete)
        if self._text["output"]:
            yield self._text["output"].decode(errors="replace")

    def answer(self, word: str) -> str:
        """Wait until the init says `word`; returns the rest of its line.

        Raises:
            EmulatorError: the kernel panicked, QEMU ended, or the deadline passed.
        """
        while (said := self._said(word)) is None:
            if next(self._hear(), "the end") == "the end":
                ending = self.ending()
                raise EmulatorError(f"The emulated machine did not start: {ending.reason}", _last_lines(ending.console))
        return said

    def ending(self) -> Ending:
        """Wait for the end of the machine; at the deadline it is killed."""
        for _ in self._hear():
            pass
        late = self._patience.passed() and self._said("exit") is None
        status = self._qemu.end(Deadline.after(0.0 if late else _POWER_OFF))
        text = {name: data.decode(errors="replace").replace("\r", "") for name, data in self._text.items()}
        exit_status = self._said("exit")
        spent = self._patience.account() if late else ""
        how, reason = _how(text["console"], finished=exit_status is not None, late=spent, status=status)
        if how is How.DIED and (complaint := self._qemu.complaint()):
            reason = f"{reason} {complaint}."
        return Ending(
            how=how,
            status=None if exit_status is None else int(exit_status),
            reason=reason,
            out_of_memory=out_of_memory(text["console"]),
            errors=text["errors"],
            console=text["console"],
        )

    def _hear(self) -> Iterator[None]:
        """Collect what comes, until QEMU is gone or the time is up; powering off has separate time."""
        for wire, data in self._qemu.receive(self._patience):
            self._text[wire] += data
            yield
        if self._said("exit") is not None:
            for wire, data in self._qemu.receive(Deadline.after(_POWER_OFF)):
                self._text[wire] += data
                yield

    def _say(self, line: str) -> None:
        self._qemu.send("control", line.encode() + b"\n")

    def _said(self, word: str) -> str | None:
        """The rest of the init's line that began with `word`; None if there was none yet."""
        for line in self._text["control"].decode(errors="replace").split("\n")[:-1]:
            first, _, rest = line.partition(" ")
            if first == word:
                return rest
        return None


def _how(text: str, *, finished: bool, late: str, status: int) -> tuple[How, str]:
    """The way in which it ended, and the reason in a sentence."""
    if finished:
        return How.FINISHED, ""
    if panicked := panic(text):
        return How.PANIC, f"its kernel stopped: {panicked}."
    if late:
        return How.DEADLINE, f"the time allowed was used up {late}."
    return How.DIED, ended(status)


#: The time with which the kernel begins its lines.
_STAMP = r"^\[ *[0-9]+\.[0-9]+\] "
_OOM = re.compile(_STAMP + r"((?:Memory cgroup out|Out) of memory: .*)$", re.MULTILINE)
_PANIC = re.compile(_STAMP + r"(Kernel panic - not syncing: .*)$", re.MULTILINE)


def out_of_memory(text: str) -> tuple[str, ...]:
    """The OOM killer's lines, as `Out of memory: Killed process 97 (python3.11) …, anon-rss:97776kB, …`."""
    return tuple(line.rstrip() for line in _OOM.findall(text))


def panic(text: str) -> str | None:
    """The line with which the kernel stopped, or None."""
    found = _PANIC.search(text)
    return found[1].rstrip() if found else None


def _last_lines(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "Its console ended: " + " / ".join(lines[-4:]) if lines else ""
