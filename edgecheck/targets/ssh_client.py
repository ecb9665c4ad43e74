"""The user's own OpenSSH client, and what edgecheck insists on."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from edgecheck.errors import UsageError
from edgecheck.targets.shell import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.core.address import Address

#: The command to use instead of `ssh`, with options, as GIT_SSH_COMMAND is for git.
VARIABLE = "EDGECHECK_SSH"

_OPTIONS = (
    "BatchMode=yes",  # nobody is there to type a password
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=15",
    "ControlMaster=no",  # a connection of the user's own is used, none is left behind
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "EscapeChar=none",
    "LogLevel=INFO",  # below that, ssh does not say why a connection ended
)
_UNVERIFIED = re.compile(r"stricthostkeychecking\W+(no|off)\b", re.IGNORECASE)


def ssh_argv(address: Address, remote: Sequence[str]) -> list[str]:
    """The command that runs `remote` on the device.

    Raises:
        UsageError: the user's variable is no command, or takes any host key.
    """
    options = [word for option in _OPTIONS for word in ("-o", option)]
    user = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    return [*program(), *options, *user, *port, "--", address.host, quoted(remote)]


def typed(address: Address, *program: str, rest: tuple[str, ...] = ()) -> str:
    """A line for the user to type: `ssh -p 2222 pi@raspberrypi`."""
    port = ["-p", str(address.port)] if address.port else []
    return quoted([*program, *port, address.login, *rest])


def program() -> list[str]:
    """The user's ssh, as a command.

    Raises:
        UsageError: as `ssh_argv` does.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"{VARIABLE} is no command: {error}.", "It is written as in a shell: ssh -F my.conf"
        ) from error
    if _UNVERIFIED.search(" ".join(words)):
        raise UsageError(
            f"{VARIABLE} turns the check of host keys off.",
            "edgecheck always checks them: put the device's key into a known_hosts file of its own "
            "(-o UserKnownHostsFile=FILE).",
        )
    return words or ["ssh"]
