"""A check on a place's board: by ssh, and once more after a power cycle where the board hangs and that is allowed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from edgecheck.core.address import Address
from edgecheck.core.text import clean
from edgecheck.errors import ConnectionLostError, RestartedError, TargetError, UnreachableError
from edgecheck.targets.interface import Workload
from edgecheck.targets.labgrid.lease import Lease, lease_of
from edgecheck.targets.labgrid.parent import CYCLE
from edgecheck.targets.shell.client import connected
from edgecheck.targets.shell.opener import Lost, Opener, opener_for
from edgecheck.targets.shell.target import ShellTarget
from edgecheck.targets.shell.wire import PATIENCE, Patience


@dataclass(slots=True)
class Place:
    """Starts commands on the board of a place with the tags of an address; see `Opener`."""

    wanted: Address
    name: str = "ssh"
    package: str = "Install the OpenSSH client (openssh-client)."
    lease: Lease | None = field(default=None, init=False)

    @property
    def address(self) -> Address:
        """The one that was given; it says which place it is as soon as that is known."""
        return self.wanted if self.lease is None else replace(self.wanted, called=self.lease.ssh.called)

    def ours(self, progress: Callable[[str], None] | None) -> Lease:
        """The place, which is leased if none is.

        Raises:
            TargetError: none is available.
        """
        self.lease = lease_of(self.wanted, progress)
        return self.lease

    def interpreter(self, progress: Callable[[str], None] | None) -> str:
        """The one that the address names, or the board's own."""
        self.ours(progress)
        return self._ssh.interpreter(progress)

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The command that runs `remote` on the board."""
        return self._ssh.argv(remote)

    def refusal(self, code: int, said: str) -> TargetError:
        """See `Opener.refusal`."""
        return self._ssh.refusal(code, said)

    def try_it(self) -> str:
        """The command that shows a person whether ssh gets through."""
        return self._ssh.try_it()

    def when_lost(self) -> Lost:
        """See `Opener.when_lost`."""
        return Lost()

    @property
    def _ssh(self) -> Opener:
        return opener_for((self.lease or self.ours(None)).ssh)


#: Seconds for a board to boot, and between two attempts to reach it.
_BOOT, _BETWEEN = 300.0, 2.0


@dataclass(slots=True, kw_only=True)
class PlaceTarget:
    """See `Target`."""

    opener: Place
    patience: Patience = PATIENCE
    has_runtime: bool = False
    emulated: bool = False
    tight: None = None
    _cycled: str = field(default="", init=False)
    """What was wrong when the board was power-cycled; empty where it was not. Once is enough for one check."""

    @property
    def address(self) -> Address:
        """See `Target.address`."""
        return self.opener.address

    @contextmanager
    def launch(self, workload: Workload, progress: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`.

        Raises:
            RestartedError: the board hung while the agent ran, and was power-cycled: launch it again.
        """
        lease = self.opener.ours(progress)
        with ExitStack() as stack:
            try:
                lines = stack.enter_context(self._shell.launch(workload, progress))
            except (UnreachableError, ConnectionLostError) as error:
                self._power_cycle(lease, error, progress)
                lines = stack.enter_context(self._shell.launch(workload, progress))
            yield self._with_notes(lease, lines, progress)

    @property
    def _shell(self) -> ShellTarget:
        return ShellTarget(opener=self.opener, patience=self.patience)

    def _with_notes(self, lease: Lease, lines: Iterator[bytes], progress: Callable[[str], None]) -> Iterator[bytes]:
        """The agent's lines after notes on which board it is, and on what was done to it."""
        yield _note("place", f"measured on {lease.place} of the lab at {clean(lease.coordinator)}")
        if self._cycled:
            yield _note(
                "power-cycled",
                f"the board was switched off and on, and measured after that: {self._cycled.rstrip('.')}",
            )
        try:
            for line in lines:
                if _is_last(line):
                    lease.ensure_ours()  # before anybody believes what was measured
                yield line
        except ConnectionLostError as error:
            lease.ensure_ours()
            self._power_cycle(lease, error, progress)
            raise RestartedError(error.message, error.hint) from error

    def _power_cycle(self, lease: Lease, error: TargetError, progress: Callable[[str], None]) -> None:
        """Switch the board off and on, and wait until it answers; raises where that is not to be, or does not help."""
        allowed = self.opener.wanted.place is not None and self.opener.wanted.place.power_cycle
        if self._cycled or (isinstance(error, ConnectionLostError) and self._answers()):
            raise error
        if not allowed:
            raise _with_hint(error, _HOW_ALLOWED) if lease.has_power else error
        if not lease.has_power:
            raise _with_hint(
                error, f"{lease.place} has no power driver by which labgrid could switch it off and on: do it by hand."
            )
        self._cycled = error.message
        progress(f"{clean(error.message).rstrip('.')}: switching {lease.place} off and on")
        lease.keeper.ask(CYCLE)
        self._await(lease, progress)

    def _answers(self) -> bool:
        """Whether only the connection was lost, and not the board."""
        try:
            with connected(self.opener, self.patience):
                return True
        except (UnreachableError, ConnectionLostError):
            return False

    def _await(self, lease: Lease, progress: Callable[[str], None]) -> None:
        started = time.monotonic()
        while True:
            waited = time.monotonic() - started
            try:
                with connected(self.opener, self.patience):
                    progress(f"{lease.place} is back after {waited:.0f} s")
                    return
            except (UnreachableError, ConnectionLostError) as error:
                if waited > _BOOT:
                    raise TargetError(
                        f"{lease.place} does not answer since it was switched off and on {waited:.0f} s ago.",
                        f"Look at its console: labgrid-client -p {lease.place} console. {error.hint}",
                    ) from error
            progress(f"waiting for {lease.place} to boot, {waited:.0f} s of {_BOOT:.0f} s")
            time.sleep(_BETWEEN)


#: How a board may be power-cycled.
_HOW_ALLOWED = (
    "To let edgecheck switch a board off and on that does not answer, add ?power_cycle=allowed to the address."
)


def _with_hint(error: TargetError, more: str) -> TargetError:
    """The error with another hint behind its own."""
    return type(error)(error.message, f"{error.hint} {more}".strip())


def _note(code: str, message: str) -> bytes:
    """An event as the agent writes it (docs/reference/agent-protocol.md)."""
    return json.dumps({"event": "note", "code": code, "message": message}).encode() + b"\n"


def _is_last(line: bytes) -> bool:
    return b'"event": "done"' in line[:40]
