"""A check on a device with a shell: over one connection, the courier brings what is missing and runs the agent."""

from __future__ import annotations

import getpass
import secrets
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.core.address import Address
from edgecheck.core.protocol import record, text, whole
from edgecheck.errors import TargetError
from edgecheck.targets.interface import Workload
from edgecheck.targets.shell.client import CourierClient, connected, fitting, lost
from edgecheck.targets.shell.opener import Opener, printable
from edgecheck.targets.shell.upload import upload_for
from edgecheck.targets.shell.wire import PATIENCE, Patience, WireBrokenError, message_in

if TYPE_CHECKING:
    from edgecheck.bundles import Bundle

#: The last line of a conversation.
_LEFT = record({}, {"code": whole(-255, 255), "complaint": text()})

#: Seconds that a check may take beyond those for getting the device, for its cooling down and for the job.
_SLACK = 300.0

#: The agent's exit codes that say nothing more than its lines do.
_EXPECTED = (0, 2, 70)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellTarget:
    """See `Target`."""

    opener: Opener
    patience: Patience = PATIENCE
    has_runtime: bool = False
    emulated: bool = False
    tight: None = None

    @property
    def address(self) -> Address:
        """See `Target.address`."""
        return self.opener.address

    @contextmanager
    def launch(self, workload: Workload, progress: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`."""
        with ExitStack() as stack:
            progress(f"connecting to {self.address.login}")
            client = stack.enter_context(connected(self.opener, self.patience, progress))
            allowed = 2 * workload.deadline + workload.cooling + _SLACK
            journal = _Journal(self.opener, self.patience, secrets.token_hex(16), allowed)
            upload = upload_for(_signed(workload, self.patience), _bundle(workload, client, progress))
            client.bring(upload.items.values(), progress)
            client.start(journal.token, upload, "job.json")
            yield stack.enter_context(closing(journal.lines(client)))


@dataclass(slots=True)
class _Journal:
    """The agent's lines, and the way back to them when the connection breaks."""

    opener: Opener
    patience: Patience
    token: str
    allowed: float
    """Seconds until the last line."""
    received: int = 0
    """Bytes of complete lines."""

    def lines(self, client: CourierClient) -> Generator[bytes]:
        """Each line as it comes; after a broken connection, the missing ones are fetched once.

        Raises:
            TargetError: the connection was lost before the agent was done, or something ended the agent.
        """
        try:
            yield from self._until_left(client)
        except WireBrokenError as error:
            client.wire.kill()
            yield from self._rest(error)

    def _rest(self, broken: WireBrokenError) -> Iterator[bytes]:
        try:
            with connected(self.opener, replace(self.patience, greeting=self.patience.silence)) as client:
                client.ask("resume", token=self.token, received=self.received)
                yield from self._until_left(client)
        except TargetError as error:
            raise lost(self.opener, broken) from error

    def _until_left(self, client: CourierClient) -> Iterator[bytes]:
        """Lines until the courier reports how the agent ended."""
        client.wire.allow(self.allowed)
        while True:
            line = client.wire.line()
            if b'"event": "left"' in line[:20]:
                self._ended(fitting(self.opener, _LEFT, message_in(line)))
                return
            self.received += len(line)
            yield line

    def _ended(self, left: dict[str, object]) -> None:
        code, complaint = left.get("code"), printable(str(left.get("complaint", ""))).splitlines()
        if code not in _EXPECTED:
            why = f": {complaint[-1]}" if complaint else ""
            raise TargetError(f"the agent on {self.opener.address.login} ended with exit code {code}{why}")


def _signed(workload: Workload, patience: Patience) -> Workload:
    """The workload with a holder's name, for others who wait, and with the agent watching the connection."""
    holder = socket.gethostname()
    with suppress(KeyError, OSError):  # a container's user may have no name
        holder = f"{getpass.getuser()}@{holder}"
    job = {"holder": holder, **workload.job, "watch_stdin": True, "heartbeat_s": patience.silence}
    return replace(workload, job=job)


def _bundle(workload: Workload, client: CourierClient, progress: Callable[[str], None]) -> Bundle | None:
    if not workload.requirements:
        return None
    from edgecheck.bundles import bundle_for, platform_of

    return bundle_for(workload.requirements, platform_of(client.greeting["facts"]), progress=progress)
