"""Devices over SSH, by the user's own OpenSSH client.

How it is started, and why it did not get through, with the command that fixes it; all else is in `shell/`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from edgecheck.core.address import Address
from edgecheck.core.device import DeviceProfile
from edgecheck.errors import TargetError, UnreachableError, UsageError
from edgecheck.targets.shell.opener import Lost, Rule, explained, line_at, not_started, printable, quoted
from edgecheck.targets.shell.target import ShellTarget

#: The command to use instead of `ssh`, with options, as GIT_SSH_COMMAND is for git.
VARIABLE = "EDGECHECK_SSH"

#: The exit code of ssh if the connection failed, rather than the command on the device.
BROKEN_WIRE = 255

_OPTIONS = (
    "BatchMode=yes",  # nobody is there to type a password
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=15",
    "ControlMaster=no",  # use the user's shared connection if there is one, and leave none behind
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "EscapeChar=none",
    "LogLevel=INFO",  # below that, ssh does not say why a connection ended
)
#: Options that would leave no stdin or no command; ssh knows them since OpenSSH 8.7, and fails on unknown ones.
_LATER_OPTIONS = ("StdinNull=no", "ForkAfterAuthentication=no", "SessionType=default")
_LATER = (8, 7)
#: Flags of ssh that leave no stdin or no command, or put a terminal between; and those that take a value.
_UNUSABLE, _WITH_VALUE = "nfNGWO", "BbcDEeFIiJLlmOopQRSWw"
_UNVERIFIED = re.compile(r"stricthostkeychecking\W+(no|off)\b", re.IGNORECASE)


def open_target(address: Address, profile: DeviceProfile) -> ShellTarget:
    """The device at `address`, for any profile."""
    del profile
    return ShellTarget(opener=OpenSsh(address))


def opener(address: Address) -> OpenSsh:
    """The client for the device at `address`."""
    return OpenSsh(address)


@dataclass(frozen=True, slots=True)
class OpenSsh:
    """Starts commands on the device at `address`; see `Opener`."""

    address: Address
    name: str = "ssh"
    package: str = "Install the OpenSSH client (openssh-client)."

    def interpreter(self, progress: Callable[[str], None] | None) -> str:
        """The one that the address names, or the device's own."""
        del progress
        return self.address.python

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The command that runs `remote` on the device.

        Raises:
            UsageError: the user's variable is not a command, or accepts any host key.
        """
        command = program()
        later = _LATER_OPTIONS if _version(command[0]) >= _LATER else ()
        options = [word for option in (*_OPTIONS, *later) for word in ("-o", option)]
        user = ["-l", self.address.user] if self.address.user else []
        port = ["-p", str(self.address.port)] if self.address.port else []
        return [
            *command,
            *options,
            *user,
            *port,
            *_through(self.address, command),
            "--",
            self.address.host,
            quoted(remote),
        ]

    def refusal(self, code: int, said: str) -> TargetError:
        """The error for an ssh that printed `said` and ended with `code` before the courier greeted."""
        return refusal(self.address, code, said)

    def try_it(self) -> str:
        """The command that shows a person whether ssh gets through, and lets it ask them its questions."""
        return _typed(self.address, *program(), rest=("true",))

    def when_lost(self) -> Lost:
        """See `Opener.when_lost`."""
        return Lost()


def program() -> list[str]:
    """The user's ssh, as a command.

    Raises:
        UsageError: as `OpenSsh.argv` does.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"{VARIABLE} is not a command: {error}.", "It is written as in a shell: ssh -F my.conf"
        ) from error
    if _UNVERIFIED.search(" ".join(words)):
        raise UsageError(
            f"{VARIABLE} turns the check of host keys off.",
            "edgecheck always checks them: put the device's key into a separate known_hosts file "
            "(-o UserKnownHostsFile=FILE).",
        )
    if flag := _unusable(words[1:]):
        raise UsageError(
            f"{VARIABLE} has the option {flag}, with which ssh runs no command over a plain connection.",
            "Leave it out: edgecheck talks to a program on the device.",
        )
    return words or ["ssh"]


def _unusable(words: Sequence[str]) -> str:
    """An option of ssh with which it cannot be used here; empty where there is none."""
    left = iter(words)
    for word in left:
        if not re.fullmatch(r"-[A-Za-z0-9].*", word):
            continue
        for at, flag in enumerate(word[1:], start=1):
            if flag in _UNUSABLE or word[at:].startswith("tt"):
                return "-tt" if flag == "t" else f"-{flag}"
            if flag in _WITH_VALUE:
                if at == len(word) - 1:
                    next(left, None)
                break
    return ""


@cache
def _version(command: str) -> tuple[int, int]:
    """The version of OpenSSH; (0, 0) for another program."""
    if PurePath(command).name != "ssh":
        return 0, 0
    try:
        done = subprocess.run([command, "-V"], capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    found = re.match(rb"OpenSSH\w*_(\d+)\.(\d+)", done.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)


#: What ssh prints.
_RULES = (
    Rule(
        pattern=r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed",
        message="{who} shows another host key than it had before: it was reinstalled, or it is another device.",
        hint="If that is right, forget the old key and accept the new one: {forget} && {try_it}",
    ),
    Rule(
        pattern=r"Host key verification failed|No .* host key is known|authenticity of host",
        message="The host key of {who} is not known here.",
        hint="Connect once by hand and compare the fingerprint: {try_it} (in CI: {keyscan} >> ~/.ssh/known_hosts)",
    ),
    Rule(
        pattern=r"Permission denied \([^)]*(password|keyboard-interactive)",
        message="{who} wants a password, and takes none of your keys.",
        hint="Give it your key once: {copy_id}",
    ),
    Rule(
        pattern=r"Permission denied",
        message="{who} takes none of your keys ({detail}).",
        hint="See which ones are offered: {verbose} (a key with a passphrase needs ssh-add first)",
    ),
    Rule(
        pattern=r"Too many authentication failures",
        message="{who} was offered too many keys.",
        hint="Name the right one in ~/.ssh/config: IdentityFile and IdentitiesOnly yes.",
    ),
    Rule(
        pattern=r"Could not resolve hostname",
        message="There is no host called {host}.",
        hint="Check the name, and that the device is on this network; some networks do not carry .local names.",
    ),
    Rule(
        pattern=r"Connection refused",
        message="{who} is there and runs no SSH server on port {port}.",
        hint="On the device: sudo systemctl enable --now ssh "
        "(on a Raspberry Pi also: raspi-config, Interface Options).",
        error=UnreachableError,
    ),
    Rule(
        pattern=r"timed out|No route to host|Network is unreachable|Host is down",
        message="{who} does not answer ({detail}).",
        hint="Check that it is on and on this network: {try_it}",
        error=UnreachableError,
    ),
    Rule(
        pattern=r"Unable to negotiate",
        message="The server of {who} and your ssh have nothing in common ({detail}).",
        hint="The one is too old for the other. What it offers can be allowed for this host alone, in ~/.ssh/config: "
        "HostKeyAlgorithms +ssh-rsa, for example.",
    ),
    Rule(
        pattern=r"Connection (closed|reset)|kex_exchange_identification",
        message="{who} hung up before the login ({detail}).",
        hint="It may take no more connections just now, or none from here (fail2ban, hosts.deny): {try_it}",
        error=UnreachableError,
    ),
)


#: What sshd prints for an account without a home, on which everything else may work.
_BY_THE_WAY = re.compile(r"^Could not chdir to home directory.*\n?", re.MULTILINE)


def refusal(address: Address, code: int, said: str) -> TargetError:
    """See `OpenSsh.refusal`."""
    text = _BY_THE_WAY.sub("", printable(said))
    try_it = OpenSsh(address).try_it()
    if code != BROKEN_WIRE:
        return not_started(address, code, text, try_it)
    if found := explained(_RULES, text):
        rule, at = found
        words = _words(address, text, at)
        if "{keyscan}" in rule.hint:
            words["keyscan"] = _keyscan(address)  # which asks ssh
        return rule.error(rule.message.format(**words), rule.hint.format(**words))
    last = line_at(text, len(text)) or f"exit code {code}"
    return TargetError(f"ssh did not get through to {address.login}: {last}.", f"Try it by hand: {try_it}")


def _words(address: Address, text: str, at: int) -> dict[str, str]:
    forget = re.search(r"ssh-keygen -f .+ -R .+", text)
    return {
        "who": address.login,
        "host": address.host,
        "port": str(address.port or (found[1] if (found := re.search(r"port (\d+)", text)) else 22)),
        "detail": line_at(text, at),
        "try_it": OpenSsh(address).try_it(),
        "verbose": _typed(address, *program(), "-v", rest=("true",)),
        "copy_id": _first_key() + _typed(address, "ssh-copy-id", *program()[1:]),
        "forget": forget[0].strip() if forget else f"ssh-keygen -R {address.host}",
    }


def _first_key() -> str:
    """The command that makes a key, where there is none to copy."""
    if len(program()) > 1:  # whose options may name another key
        return ""
    has_key = any(Path.home().joinpath(".ssh").glob("id_*.pub")) or "SSH_AUTH_SOCK" in os.environ
    return "" if has_key else "ssh-keygen && "


def _keyscan(address: Address) -> str:
    """The command that prints the host's key: ssh-keyscan reads no configuration, so what that says is written out."""
    real = _configured(address)
    port = str(address.port or real.get("port", "22"))
    scan = ["ssh-keyscan", *(["-p", port] if port != "22" else []), real.get("hostname", address.host)]
    jump = real.get("proxyjump", "none").rpartition(",")[2]
    return quoted(scan if jump == "none" else ["ssh", f"ssh://{jump}" if ":" in jump else jump, *scan])


def _configured(address: Address) -> dict[str, str]:
    """What the user's configuration says about the host, in the words of `ssh -G`; empty where ssh does not say."""
    argv = [*program(), *(["-p", str(address.port)] if address.port else []), "-G", "--", address.host]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = (line.partition(" ") for line in done.stdout.decode("utf-8", "replace").splitlines())
    return {name: value.strip() for name, _, value in lines} if done.returncode == 0 else {}


def _typed(address: Address, *program: str, rest: tuple[str, ...] = ()) -> str:
    """A line for the user to type: `ssh -p 2222 pi@raspberrypi`."""
    port = ["-p", str(address.port)] if address.port else []
    login = f"{address.user}@{address.host}" if address.user else address.host
    jump = ["-o", f"ProxyJump={address.via}"] if address.via else []
    return quoted([*program, *port, *jump, login, *rest])


#: For the ssh to a host in between, which has none of the outer one's options; that one fills in what is after `-W`.
_IN_BETWEEN = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15", "-W", "[%h]:%p")


def _through(address: Address, command: Sequence[str]) -> list[str]:
    """The option for a host to go through: as ProxyJump, but with the same program, and without questions."""
    if not address.via:
        return []
    words = [word.replace("%", "%%") for word in command]
    return ["-o", f"ProxyCommand={quoted([*words, *_IN_BETWEEN, '--', address.via])}"]
