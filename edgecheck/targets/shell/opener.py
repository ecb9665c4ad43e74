"""What differs between the ways to a shell on a device: the program that connects, and why nothing started there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from edgecheck.core.address import Address, parse_device
from edgecheck.errors import TargetError


class Opener(Protocol):
    """How commands are started on a device, with their standard streams connected to this end."""

    @property
    def address(self) -> Address:
        """Where the device is."""

    @property
    def name(self) -> str:
        """The program, in a sentence."""

    @property
    def package(self) -> str:
        """What to install where the program is missing, as a sentence."""

    def interpreter(self, progress: Callable[[str], None] | None) -> str:
        """The Python on the device, as the first word of a command.

        Args:
            progress: Called with a few words while a Python is brought to a device that has none; None: bring none.

        Raises:
            NothingThereError: none was to be brought, and the device needs one.
            TargetError: the device cannot be reached, or takes none.
        """

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The command on this machine that runs `remote` on the device."""

    def refusal(self, code: int, said: str) -> TargetError:
        """The error for a process that printed `said` and ended with `code` before the courier greeted."""

    def try_it(self) -> str:
        """The command for a person to try by hand."""

    def when_lost(self) -> Lost:
        """What the device says, now that the connection to it was lost; may wait for it to come back."""


class NothingThereError(TargetError):
    """Nothing of edgecheck's is on the device, not even the Python that it would need; in `folder` it would be."""

    def __init__(self, device: str, folder: str, free: int) -> None:
        super().__init__(f"{device} has nothing of edgecheck's.", "The first check brings what it needs.")
        self.folder = folder
        self.free = free


#: The next step, whatever the connection was lost by.
RUN_AGAIN = "Run it again: what has arrived there is not sent again."


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a connection was lost, as far as that can be found out afterwards."""

    why: str = ""
    """A clause with what to do before the next attempt; empty: no more than the connection's program printed."""
    hint: str = RUN_AGAIN


def quoted(argv: Sequence[str]) -> str:
    """The line that a POSIX shell splits into exactly `argv`.

    Raises:
        ValueError: a word contains a NUL, which no argument can.
    """
    if any("\0" in word for word in argv):
        raise ValueError("an argument cannot contain a NUL")
    return shlex.join(argv)


def opener_at(text: str) -> Opener:
    """The opener of the device at an address: the `opener` of the module that `TARGETS` names for it.

    Raises:
        UsageError: `text` is not the address of a device.
    """
    return opener_for(parse_device(text))


def opener_for(address: Address) -> Opener:
    """As `opener_at`, for an address that was parsed."""
    return cast("Opener", import_module(address.kind.module).opener(address))


def printable(text: str) -> str:
    """What a device or a program printed, without characters that could control a terminal."""
    lines = text.replace("\r", "\n").split("\n")
    return "\n".join("".join(each for each in line if each.isprintable()) for line in lines if line.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a program prints, and the message and hint for it, with words in braces."""

    pattern: str
    message: str
    hint: str
    error: type[TargetError] = TargetError


#: What the shell and the Python of a device print.
_RULES = (
    Rule(
        pattern=r"zlib\.error",
        message="A start file of {who}, such as ~/.bashrc, reads what is meant for {python}.",
        hint="Let it do that in terminals only, with this line above it: case $- in *i*) ;; *) return ;; esac",
    ),
    Rule(
        pattern=r"Permission denied",
        message="{python} on {who} may not be executed ({detail}).",
        hint="Make it executable, or name another: {another}",
    ),
    Rule(
        pattern=r"error while loading shared libraries",
        message="{python} on {who} lacks a library ({detail}).",
        hint="Repair it there, or name another: {another}",
    ),
    Rule(
        pattern=r"edgecheck needs Python",
        message="The Python of {who} is too old: {detail}.",
        hint="Install Python 3.6 or newer next to it and name it: {another}",
    ),
    Rule(
        pattern=r"(not found|No such file or directory|no such file|Unknown command)",
        message="There is no {python} on {who} ({detail}).",
        hint="Install it (sudo apt install python3), or name another: {another}",
    ),
)


def explained(rules: Sequence[Rule], text: str) -> tuple[Rule, int] | None:
    """The first rule that matches what was printed, and where: at the last match, since a banner comes before."""
    for rule in rules:
        if places := [found.start() for found in re.finditer(rule.pattern, text, re.IGNORECASE)]:
            return rule, places[-1]
    return None


def not_started(address: Address, code: int, text: str, try_it: str) -> TargetError:
    """The error where the shell was reached, but Python did not start there.

    Args:
        address: The device.
        code: The exit code of the command on the device.
        text: What was printed, without control characters.
        try_it: The command for a person to try by hand.
    """
    if found := explained(_RULES, text):
        rule, at = found
        words = {
            "who": address.login,
            "python": address.python,
            "another": address.with_python("/path/to/python3"),
            "detail": line_at(text, at),
        }
        return TargetError(rule.message.format(**words), rule.hint.format(**words))
    last = line_at(text, len(text)) or f"exit code {code}"
    return TargetError(
        f"{address.login} did not start {address.python}: {last}.", f"Its login must end in a shell: {try_it}"
    )


def line_at(text: str, at: int) -> str:
    """The line of `text` around `at`, without its full stop."""
    before, after = text[:at].rstrip("\n") if at == len(text) else text[:at], text[at:]
    return (before.rpartition("\n")[2] + after.partition("\n")[0]).strip().rstrip(".")
