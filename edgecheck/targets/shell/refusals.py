"""Why the program that edgecheck sends did not start on a device that offers a shell, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgecheck.core.address import Address
from edgecheck.errors import TargetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a program prints, and the message and hint for it, with words in braces."""

    pattern: str
    message: str
    hint: str
    error: type[TargetError] = TargetError


#: What the shell and the Python of a device print.
_RULES = (
    Rule(
        pattern=r"zlib\.error",
        message="A start file of {who}, such as ~/.bashrc, reads what is meant for {python}.",
        hint="Let it do that in terminals only, with this line above it: case $- in *i*) ;; *) return ;; esac",
    ),
    Rule(
        pattern=r"Permission denied",
        message="{python} on {who} may not be executed ({detail}).",
        hint="Make it executable, or name another: {address}?python=/path/to/python3",
    ),
    Rule(
        pattern=r"error while loading shared libraries",
        message="{python} on {who} lacks a library ({detail}).",
        hint="Repair it there, or name another: {address}?python=/path/to/python3",
    ),
    Rule(
        pattern=r"edgecheck needs Python",
        message="The Python of {who} is too old: {detail}.",
        hint="Install Python 3.6 or newer next to it and name it: {address}?python=/path/to/python3",
    ),
    Rule(
        pattern=r"(not found|No such file or directory|no such file|Unknown command)",
        message="There is no {python} on {who} ({detail}).",
        hint="Install it (sudo apt install python3), or name another: {address}?python=/path/to/python3",
    ),
)


def explained(rules: Sequence[Rule], text: str) -> tuple[Rule, int] | None:
    """The first rule that matches what was printed, and where: at the last match, since a banner comes before."""
    for rule in rules:
        if places := [found.start() for found in re.finditer(rule.pattern, text, re.IGNORECASE)]:
            return rule, places[-1]
    return None


def not_started(address: Address, code: int, text: str, try_it: str) -> TargetError:
    """The error where the shell was reached, but Python did not start there.

    Args:
        address: The device.
        code: The exit code of the command on the device.
        text: What was printed, without control characters.
        try_it: The command for a person to try by hand.
    """
    if found := explained(_RULES, text):
        rule, at = found
        words = {
            "who": address.login,
            "python": address.python,
            "address": address.text.partition("?")[0],
            "detail": line_at(text, at),
        }
        return TargetError(rule.message.format(**words), rule.hint.format(**words))
    last = line_at(text, len(text)) or f"exit code {code}"
    return TargetError(
        f"{address.login} did not start {address.python}: {last}.", f"Its login must end in a shell: {try_it}"
    )


def line_at(text: str, at: int) -> str:
    """The line of `text` around `at`, without its full stop."""
    before, after = text[:at].rstrip("\n") if at == len(text) else text[:at], text[at:]
    return (before.rpartition("\n")[2] + after.partition("\n")[0]).strip().rstrip(".")
