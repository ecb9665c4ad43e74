"""How a command is started on a phone, with its streams connected to this end: `adb -s SERIAL shell -T`."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgecheck.core.address import PYTHON, Address
from edgecheck.errors import TargetError
from edgecheck.interrupts import pause
from edgecheck.targets.adb import bringing, phones, server
from edgecheck.targets.adb.phones import Phone
from edgecheck.targets.shell.opener import Lost, printable, quoted

#: Seconds that a phone is waited for which was lost in the middle: one that restarts answers adb after half a minute.
RETURN = 60.0

#: Seconds between two looks.
_PAUSE = 0.5


@dataclass(slots=True)
class Adb:
    """Starts commands on the phone at `address`, which is looked up once; see `Opener`."""

    address: Address
    name: str = "adb"
    package: str = server.PACKAGE
    _serial: str = field(default="", init=False)
    _boot: str = field(default="", init=False)
    """What the kernel calls the time since the phone's start, when it was first reached."""
    _progress: Callable[[str], None] | None = field(default=None, init=False)

    @property
    def serial(self) -> str:
        """The phone's.

        Raises:
            TargetError: it is not connected, not ready, or one of several.
        """
        self._serial = self._serial or phones.chosen(self.address).serial
        return self._serial

    def interpreter(self, progress: Callable[[str], None] | None) -> str:
        """The one that was brought there, unless the address names one."""
        serial = self.serial
        self._boot = self._boot or bringing.boot_id(serial)
        self._progress = progress or self._progress
        return self.address.python if self.address.python != PYTHON else bringing.python_on(serial, progress)

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The command that runs `remote` on the phone, without a terminal: stdin and stdout stay as they are."""
        return [*server.program(), "-s", self.serial, "shell", "-T", quoted(remote)]

    def refusal(self, code: int, said: str) -> TargetError:
        """See `Opener.refusal`."""
        return phones.refusal(self.serial, code, printable(said))

    def try_it(self) -> str:
        """The command that shows a person whether adb gets through."""
        return shlex.join([*server.program(), "-s", self._serial or self.address.serial or "SERIAL", "shell", "true"])

    def when_lost(self) -> Lost:
        """What the phone and the server say now; a phone that restarts or is plugged in again is waited for."""
        if server.listing() is None:
            return Lost("the adb server has ended, too; the next check starts one")
        if self._progress is not None:
            self._progress(f"waiting for {self._serial} to come back, at most {RETURN:.0f} s")
        phone, boot = self._returned()
        if phone is None:
            return Lost(
                f"{self._serial} is no longer connected; plug it in again, or wait until it has restarted, and unlock "
                "it"
            )
        if not phone.is_ready:
            error = phones.not_ready(phone)
            return Lost(f"{error.message} {error.hint}".rstrip("."), error.hint)
        if self._boot and boot and boot != self._boot:
            return Lost(
                f"{self._serial} restarted in the middle; unlock it and wait until it is at rest (one that restarts "
                "again may be too hot, or have an empty battery)"
            )
        return Lost()

    def _returned(self) -> tuple[Phone | None, str]:
        """The phone once it answers, and what it calls its start; or as it is when the time is over."""
        limit = time.monotonic() + RETURN
        while True:
            phone = phones.find(self._serial)
            is_ready = phone is not None and phone.is_ready
            boot = bringing.boot_id(self._serial) if is_ready and self._boot else ""
            if boot or (is_ready and not self._boot) or time.monotonic() >= limit:
                return phone, boot
            pause(_PAUSE)
