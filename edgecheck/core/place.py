"""Which place of a labgrid lab is wanted: by its tags, for how long to wait, and what may be done to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from edgecheck.core.units import Unit, parse

#: Seconds to wait for a place, where the address says nothing.
WAIT = 1800.0

#: The port of a coordinator.
PORT = 20408

#: The tag that stands for the name of a place.
NAME = "name"

_ADDRESS = re.compile(
    r"labgrid://(?:(?P<host>\[[^\]]*\]|[^:@/?=,\[\]]*)(?::(?P<port>[^/?=,]*))?/)?(?P<tags>[^/?]*)/?(?:\?(?P<options>.*))?",
    re.DOTALL,
)
#: What labgrid's own client takes as the name of a tag, and what a value can be without confusing an address.
_KEY, _VALUE = re.compile(r"[a-z][A-Za-z0-9_.-]*"), re.compile(r"[^\s,=/?&'\"\\\x00-\x1f\x7f]+")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:%-]*|:[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A place, as an address names it."""

    tags: tuple[tuple[str, str], ...]
    """(Key, value) of each; `name` stands for the place's name."""
    host: str = ""
    """Of the coordinator; empty: labgrid's own setting."""
    port: int = PORT
    wait: float = WAIT
    """Seconds, at most, until a place is free."""
    power_cycle: bool = False
    """Whether a board that does not answer may be switched off and on."""
    python: str = ""
    """The interpreter on the board; empty: the usual one."""

    @property
    def filter(self) -> str:
        """The tags in a sentence: `board=orin-nano and rack=2`."""
        return " and ".join(f"{key}={value}" for key, value in self.tags)

    @property
    def coordinator(self) -> str:
        """Host and port, or empty where labgrid's own setting says which one it is."""
        if not self.host:
            return ""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def wanted(text: str) -> Wanted:
    """The place that an address is about.

    Raises:
        ValueError: it is not such an address; the message is a clause that says why.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("it is not of that form")
    tags = _tags(match["tags"])
    host = (match["host"] or "").strip("[]")
    if match["host"] is not None and not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} cannot be a coordinator's host")
    port = match["port"]
    if port is not None and (not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16):
        raise ValueError(f"{port!r} is not a port")
    options = _options(match["options"])
    return Wanted(
        tags=tags,
        host=host,
        port=PORT if port is None else int(port),
        wait=_seconds(options["wait"]) if "wait" in options else WAIT,
        power_cycle=_allowed(options.get("power_cycle", "")),
        python=options.get("python", ""),
    )


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    if not text:
        raise ValueError("it names no tag")
    found: dict[str, str] = {}
    for part in text.split(","):
        key, separator, value = part.partition("=")
        value = unquote(value)
        if not separator or not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise ValueError(f"{part!r} is not a tag such as board=orin-nano")
        if found.setdefault(key, value) != value:
            raise ValueError(f"a place cannot have {key}={found[key]} and {key}={value}")
    return tuple(found.items())


#: What an address may say after its tags.
OPTIONS: Mapping[str, str] = {
    "wait": "wait=10min",
    "power_cycle": "power_cycle=allowed",
    "python": "python=PATH",
}


def _options(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in (text or "").split("&") if text is not None else ():
        key, separator, value = part.partition("=")
        if key not in OPTIONS or not separator or not value:
            raise ValueError(f"{part!r} is not understood; it takes ?{', ?'.join(OPTIONS.values())}, joined by &")
        if key in found:
            raise ValueError(f"{key} is there twice")
        found[key] = unquote(value)
    return found


def _seconds(text: str) -> float:
    try:
        return parse(text, Unit.SECONDS)
    except ValueError as error:
        raise ValueError(f"wait: {error}") from error


def _allowed(text: str) -> bool:
    if text not in ("", "allowed"):
        raise ValueError(f"power_cycle is {text!r}, and can only be allowed")
    return bool(text)
