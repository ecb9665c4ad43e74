"""How a command is started on a phone, with its streams connected to this end: `adb -s SERIAL shell -T`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgecheck.core.address import PYTHON, Address
from edgecheck.errors import TargetError
from edgecheck.targets.adb import bringing, phones, refusals, server
from edgecheck.targets.shell.opener import RUN_AGAIN, printable, quoted


@dataclass(slots=True)
class Adb:
    """Starts commands on the phone at `address`, which is looked up once; see `Opener`."""

    address: Address
    name: str = "adb"
    package: str = server.PACKAGE
    _serial: str = field(default="", init=False)

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
        return self.address.python if self.address.python != PYTHON else bringing.python_on(serial, progress)

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The command that runs `remote` on the phone, without a terminal: stdin and stdout stay as they are."""
        return [*server.program(), "-s", self.serial, "shell", "-T", quoted(remote)]

    def refusal(self, code: int, said: str) -> TargetError:
        """See `Opener.refusal`."""
        return refusals.refusal(self.serial, code, printable(said))

    def try_it(self) -> str:
        """The command that shows a person whether adb gets through."""
        return shlex.join([*server.program(), "-s", self._serial or self.address.serial or "SERIAL", "shell", "true"])

    def when_lost(self) -> str:
        """What to do, by what the server says about the phone now."""
        text = server.listing()
        there = [phone for phone in phones.listed(text or "") if phone.serial == self._serial]
        if text is None:
            return "The adb server has ended, too. Run it again: it is started again."
        if not there:
            return (
                f"{self._serial} is no longer connected: plug it in again, or wait until it has restarted and is "
                f"unlocked. {RUN_AGAIN}"
            )
        return RUN_AGAIN if there[0].is_ready else phones.not_ready(there[0]).hint
