"""What differs between the ways to a shell on a device: the program that connects, and what its errors mean."""

from __future__ import annotations

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
