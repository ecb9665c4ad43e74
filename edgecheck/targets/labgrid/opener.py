"""How a command is started on a place's board: by ssh, once a place is ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from edgecheck.core.address import Address
from edgecheck.errors import TargetError
from edgecheck.targets.labgrid.lease import Lease, lease_of
from edgecheck.targets.shell.opener import Lost, Opener, opener_for


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
