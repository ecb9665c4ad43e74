"""A device over SSH: one connection a check, in which the courier brings what is missing and the agent's lines come."""

from __future__ import annotations

import getpass
import json
import secrets
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.core.address import Address
from edgecheck.errors import TargetError
from edgecheck.targets.ssh_cargo import cargo_for
from edgecheck.targets.ssh_courier import Courier, connected, lost
from edgecheck.targets.ssh_pipes import WireBrokenError
from edgecheck.targets.ssh_refusals import printable
from edgecheck.targets.ssh_wire import PATIENCE, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from edgecheck.bundles import Bundle
    from edgecheck.core.device import DeviceProfile
    from edgecheck.targets.interface import Workload

#: The agent's exit codes that say nothing more than its lines do.
_EXPECTED = (0, 2, 70)


def open_target(address: Address, profile: DeviceProfile) -> SshTarget:
    """The device at `address`, for any profile."""
    del profile
    return SshTarget(address=address)


@dataclass(frozen=True, slots=True)
class SshTarget:
    """See `Target`."""

    address: Address
    patience: Patience = PATIENCE
    has_runtime: bool = False
    emulated: bool = False
    tight: None = None

    @contextmanager
    def launch(self, workload: Workload, tell: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`."""
        with ExitStack() as stack:
            tell(f"connecting to {self.address.login}")
            courier = stack.enter_context(connected(self.address, self.patience))
            journal = _Journal(self, secrets.token_hex(16))
            cargo = cargo_for(_signed(workload, self.patience), _bundle(workload, courier, tell))
            courier.bring(cargo.items.values(), tell)
            courier.start(journal.token, cargo, "job.json")
            yield stack.enter_context(closing(journal.lines(courier)))


@dataclass(slots=True)
class _Journal:
    """The agent's lines, and the way back to them when the connection breaks."""

    target: SshTarget
    token: str
    received: int = 0
    """Bytes of whole lines."""

    def lines(self, courier: Courier) -> Generator[bytes]:
        """Each line as it comes; those that a broken connection kept back are fetched once.

        Raises:
            TargetError: the connection was lost and the agent was not done, or it ended otherwise than by itself.
        """
        try:
            yield from self._until_left(courier)
        except WireBrokenError as error:
            courier.wire.kill()
            yield from self._rest(error)

    def _rest(self, broken: WireBrokenError) -> Iterator[bytes]:
        patience = self.target.patience
        try:
            with connected(self.target.address, replace(patience, greeting=patience.silence)) as courier:
                courier.ask("resume", token=self.token, received=self.received)
                yield from self._until_left(courier)
        except TargetError as error:
            raise lost(self.target.address, broken) from error

    def _until_left(self, courier: Courier) -> Iterator[bytes]:
        """Lines until the courier says how the agent ended."""
        while True:
            line = courier.wire.line()
            if b'"event": "left"' in line[:20]:
                self._ended(json.loads(line))
                return
            self.received += len(line)
            yield line

    def _ended(self, left: dict[str, object]) -> None:
        code, complaint = left.get("code"), printable(str(left.get("complaint", ""))).splitlines()
        if code not in _EXPECTED:
            why = f": {complaint[-1]}" if complaint else ""
            raise TargetError(f"the agent on {self.target.address.login} ended with exit code {code}{why}")


def _signed(workload: Workload, patience: Patience) -> Workload:
    """With who we are, for others who wait, and with the agent's own eye on us."""
    holder = socket.gethostname()
    with suppress(KeyError, OSError):  # a container's user may have no name
        holder = f"{getpass.getuser()}@{holder}"
    job = {"holder": holder, **workload.job, "watch_stdin": True, "heartbeat_s": patience.silence}
    return replace(workload, job=job)


def _bundle(workload: Workload, courier: Courier, tell: Callable[[str], None]) -> Bundle | None:
    if not workload.requirements:
        return None
    from edgecheck.bundles import bundle_for, platform_of

    return bundle_for(workload.requirements, platform_of(courier.greeting["facts"]), progress=tell)
