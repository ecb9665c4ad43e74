"""`ssh://[user@]host[:port][?python=PATH]`, taken apart and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from edgecheck.errors import UsageError
from edgecheck.targets.shell import quoted

_FORM = re.compile(
    r"ssh://(?:(?P<user>.*)@)?(?P<host>\[[^\]]*\]|[^:@/?\[\]]*)(?::(?P<port>[^/?]*))?/?(?:\?(?P<query>.*))?", re.DOTALL
)
#: What OpenSSH itself refuses since 9.6: a ProxyCommand of the user's may pass names to a shell (CVE-2023-51385).
_IN_HOST = re.compile(r"[^-'`\"$\\;&<>|(){}\s\x00-\x1f\x7f][^'`\"$\\;&<>|(){}\s\x00-\x1f\x7f]*")
_IN_USER = re.compile(r"(?!-)[^'`\"$;&<>|(){}\x00-\x1f\x7f]+")
_AWKWARD = re.compile(r"\s-|\\\Z")


#: The interpreter, where the address names none.
PYTHON = "python3"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device is, in the words of the user's own ssh."""

    text: str
    """As the user wrote it."""
    host: str
    """A name, an alias of the user's configuration, or an IP address without brackets."""
    user: str = ""
    """Empty: what ssh takes."""
    port: int | None = None
    python: str = PYTHON
    """The interpreter there; a relative path starts at the user's home."""

    def __str__(self) -> str:
        """For messages: `pi@raspberrypi`."""
        return f"{self.user}@{self.host}" if self.user else self.host

    def command(self, *program: str, rest: tuple[str, ...] = ()) -> str:
        """A line for the user to type: `ssh -p 2222 pi@raspberrypi`."""
        port = ["-p", str(self.port)] if self.port else []
        return quoted([*program, *port, str(self), *rest])


def parse(text: str) -> Address:
    """The address in `text`; a user's or a host's odd characters may be written as `%40`.

    Raises:
        UsageError: it is no such address, or holds what ssh would not take.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise _wrong(text, "it is not of that form")
    user, host = unquote(match["user"] or ""), unquote(match["host"]).strip("[]")
    if ":" in (match["user"] or ""):
        raise _wrong(text, "passwords have no place in an address; ssh asks for none here")
    if not _IN_HOST.fullmatch(host):
        raise _wrong(text, f"{host!r} cannot be a host's name")
    if match["user"] is not None and (not _IN_USER.fullmatch(user) or _AWKWARD.search(user)):
        raise _wrong(text, f"{user!r} cannot be a user's name")
    return Address(text, host, user, _port(text, match["port"]), _python(text, match["query"]))


def _port(text: str, port: str | None) -> int | None:
    if port is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise _wrong(text, f"{port!r} is no port")
    return int(port)


def _python(text: str, query: str | None) -> str:
    if query is None:
        return PYTHON
    key, _, value = query.partition("=")
    python = unquote(value)
    if key != "python" or not python or not python.isprintable() or python.startswith("-"):
        raise _wrong(text, f"{query!r} is not understood; it takes `?python=PATH`")
    return python


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is no address of a device: {why}.", "It is written ssh://user@host or ssh://user@host:port."
    )
