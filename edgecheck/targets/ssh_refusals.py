"""Why ssh did not get through, in words, with the command that mends it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.errors import TargetError
from edgecheck.targets.ssh_client import program, typed

if TYPE_CHECKING:
    from edgecheck.core.address import Address

#: What ssh exits with when the wire, and not the command at its other end, failed.
BROKEN_WIRE = 255


@dataclass(frozen=True, slots=True)
class _Rule:
    """What ssh or the device's shell prints, and what to say then; the first that matches counts."""

    pattern: str
    message: str
    hint: str
    by_ssh: bool = True
    """Whether ssh itself says so, and not the device."""


_RULES = (
    _Rule(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed",
        "{who} shows another host key than it had before: it was installed anew, or it is another device.",
        "If that is right, forget the old key and accept the new one: {forget} && {try_it}",
    ),
    _Rule(
        r"Host key verification failed|No .* host key is known|authenticity of host",
        "The host key of {who} is not known here.",
        "Connect once by hand and compare the fingerprint: {try_it} (in CI: {keyscan} >> ~/.ssh/known_hosts)",
    ),
    _Rule(
        r"Permission denied \([^)]*(password|keyboard-interactive)",
        "{who} wants a password, and takes none of your keys.",
        "Give it your key once: {copy_id}",
    ),
    _Rule(
        r"Permission denied",
        "{who} takes none of your keys ({detail}).",
        "See which ones are offered: {verbose} (a key with a passphrase needs ssh-add first)",
    ),
    _Rule(
        r"Too many authentication failures",
        "{who} was offered too many keys.",
        "Name the right one in ~/.ssh/config: IdentityFile and IdentitiesOnly yes.",
    ),
    _Rule(
        r"Could not resolve hostname",
        "There is no host called {host}.",
        "Check the name, and that the device is on this network; some networks do not carry .local names.",
    ),
    _Rule(
        r"Connection refused",
        "{who} is there and runs no SSH server on that port.",
        "On the device: sudo systemctl enable --now ssh (on a Raspberry Pi also: raspi-config, Interface Options).",
    ),
    _Rule(
        r"timed out|No route to host|Network is unreachable|Host is down",
        "{who} does not answer ({detail}).",
        "Check that it is on and on this network: {try_it}",
    ),
    _Rule(
        r"Unable to negotiate",
        "The server of {who} and your ssh have nothing in common ({detail}).",
        "The one is too old for the other. What it offers can be allowed for this host alone, in ~/.ssh/config: "
        "HostKeyAlgorithms +ssh-rsa, for example.",
    ),
    _Rule(
        r"Connection (closed|reset)|kex_exchange_identification",
        "{who} hung up before the login ({detail}).",
        "It may take no more connections just now, or none from here (fail2ban, hosts.deny): {try_it}",
    ),
    _Rule(
        r"edgecheck needs Python",
        "The Python of {who} is too old: {detail}.",
        "Install Python 3.6 or newer beside it and name it: {address}?python=/path/to/python3",
        by_ssh=False,
    ),
    _Rule(
        r"(not found|No such file or directory|no such file|Unknown command)",
        "There is no {python} on {who} ({detail}).",
        "Install it (sudo apt install python3), or name another: {address}?python=/path/to/python3",
        by_ssh=False,
    ),
)


#: What sshd says of an account without a home, in which all else may work.
_BY_THE_WAY = re.compile(r"^Could not chdir to home directory.*\n?", re.MULTILINE)


def refusal(address: Address, code: int, said: str) -> TargetError:
    """The error for an ssh that ended with `code` before the device greeted, having `said` this."""
    text = _BY_THE_WAY.sub("", printable(said))
    for rule in _RULES:
        places = [found.start() for found in re.finditer(rule.pattern, text, re.IGNORECASE)]
        if places and rule.by_ssh == (code == BROKEN_WIRE):
            words = _words(address, text, places[-1])  # a banner comes before
            return TargetError(rule.message.format(**words), rule.hint.format(**words))
    last = _line_at(text, len(text)) or f"exit code {code}"
    if code == BROKEN_WIRE:
        return TargetError(f"ssh did not get through to {address.login}: {last}.", f"Try it by hand: {try_it(address)}")
    return TargetError(
        f"{address.login} did not start {address.python}: {last}.",
        f"Its login must end in a shell: {try_it(address)}",
    )


def _words(address: Address, text: str, at: int) -> dict[str, str]:
    forget = re.search(r"ssh-keygen -f .+ -R .+", text)
    return {
        "who": address.login,
        "host": address.host,
        "python": address.python,
        "address": address.text.partition("?")[0],
        "detail": _line_at(text, at),
        "try_it": try_it(address),
        "verbose": typed(address, *program(), "-v", rest=("true",)),
        "copy_id": typed(address, "ssh-copy-id", *program()[1:]),
        "keyscan": typed(replace(address, user=""), "ssh-keyscan"),
        "forget": forget[0].strip() if forget else f"ssh-keygen -R {address.host}",
    }


def try_it(address: Address) -> str:
    """The line that shows a person whether ssh gets through, and asks them what it would ask."""
    return typed(address, *program(), rest=("true",))


def _line_at(text: str, at: int) -> str:
    """The line of `text` around `at`, without its closing point."""
    before, after = text[:at].rstrip("\n") if at == len(text) else text[:at], text[at:]
    return (before.rpartition("\n")[2] + after.partition("\n")[0]).strip().rstrip(".")


def printable(text: str) -> str:
    """What a device or ssh wrote, without what could drive a terminal."""
    lines = text.replace("\r", "\n").split("\n")
    return "\n".join("".join(each for each in line if each.isprintable()) for line in lines if line.strip())
