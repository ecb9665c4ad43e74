"""Where a device is: the table of targets, and addresses, parsed once into values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from urllib.parse import quote, unquote

from edgecheck.core.place import PORT, Wanted, wanted
from edgecheck.errors import UsageError


class Sharing(Enum):
    """How many checks may run on one target at the same time."""

    ALONE = "one, and nothing else meanwhile: it is timed on the machine that runs edgecheck"
    ONE = "one, next to checks on other targets"
    SEVERAL = "as many as there are machines"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetKind:
    """One way to reach a device. A new one is a row of `TARGETS` and the module that the row names."""

    scheme: str
    """What its addresses begin with: `ssh`."""
    module: str
    """With `open_target(address, profile) -> Target`; imported when it is used."""
    forms: tuple[str, ...]
    """How its addresses are written, the usual way first: `ssh://user@host`."""
    title: str
    """What it is, for a person."""
    has_host: bool = False
    """Whether the address names one of several devices: `ssh://user@host`; otherwise it is the scheme alone."""
    has_user: bool = False
    """Whether it may name an account on the device."""
    only: str = ""
    """What the device is called where an address names none, since it is the only one connected: `the phone`; empty: an
    address names one."""
    has_tags: bool = False
    """Whether the address says what a device must have, and a lab chooses which one it is."""
    emulated: bool = False
    """Whether its clock is not the device's."""
    is_this_machine: bool = False
    sharing: Sharing = Sharing.ONE


#: Every target, by the scheme of its addresses.
TARGETS: Mapping[str, TargetKind] = MappingProxyType(
    {
        kind.scheme: kind
        for kind in (
            TargetKind(
                scheme="local",
                module="edgecheck.targets.local",
                forms=("local",),
                title="this machine",
                is_this_machine=True,
                sharing=Sharing.ALONE,
            ),
            TargetKind(
                scheme="qemu",
                module="edgecheck.targets.qemu",
                forms=("qemu",),
                title="the emulated machine",
                emulated=True,
                sharing=Sharing.SEVERAL,
            ),
            TargetKind(
                scheme="ssh",
                module="edgecheck.targets.ssh",
                forms=("ssh://user@host", "ssh://user@host:port"),
                title="a device over SSH, with :port where it needs one",
                has_host=True,
                has_user=True,
            ),
            TargetKind(
                scheme="adb",
                module="edgecheck.targets.adb",
                forms=("adb://", "adb://SERIAL", "adb://host:port"),
                title="an Android phone over adb, with its serial number where several are connected",
                has_host=True,
                only="the phone",
            ),
            TargetKind(
                scheme="labgrid",
                module="edgecheck.targets.labgrid",
                forms=("labgrid://board=NAME", "labgrid://host:port/board=NAME"),
                title="a board of a labgrid lab, by its tags",
                has_host=True,
                has_tags=True,
            ),
        )
    }
)

#: The interpreter on the device, where the address names none.
PYTHON = "python3"

_FORM = re.compile(
    r"(?P<scheme>[^:]*)://(?:(?P<user>.*)@)?(?P<host>\[[^\]]*\]|[^:@/?\[\]]*)(?::(?P<port>[^/?]*))?/?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
#: A user and a host without a scheme.
_LOGIN = re.compile(r"[^@/:=\s]+@[^@/\s]+")
#: The rest of an address whose host is IPv6 without brackets: it has no port, which would be ambiguous.
_BARE_IPV6 = re.compile(
    r"(?P<scheme>[^:]*)://(?:(?P<user>[^@]*)@)?(?P<host>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?)/?(?P<query>\?.*)?"
)
#: What OpenSSH itself refuses since 9.6: a ProxyCommand of the user's may pass names to a shell (CVE-2023-51385).
_IN_HOST = re.compile(r"[^-'`\"$\\;&<>|(){}\s\x00-\x1f\x7f][^'`\"$\\;&<>|(){}\s\x00-\x1f\x7f]*")
_IN_USER = re.compile(r"(?!-)[^'`\"$;&<>|(){}\x00-\x1f\x7f]+")
_AWKWARD = re.compile(r"\s-|\\\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a device is: `local`, `qemu`, `ssh://[user@]host[:port][?python=PATH]`, `adb://SERIAL`, …."""

    scheme: str
    text: str
    """As the user wrote it."""
    host: str = ""
    """A name, an alias of the user's configuration, an IP address without brackets, or a serial number."""
    user: str = ""
    """Empty: whatever the program that connects takes."""
    port: int | None = None
    python: str = PYTHON
    """The interpreter on the device; a relative path starts at the user's home."""
    place: Wanted | None = None
    """What a lab is asked for, where it chooses the device."""
    via: str = ""
    """A host to go through, as ssh's ProxyJump takes it; empty: the device is reached directly. No text says so."""
    called: str = ""
    """What the device is called in a sentence, where a lab has chosen it."""

    def __str__(self) -> str:
        """As it was written."""
        return self.text

    @property
    def kind(self) -> TargetKind:
        """Its row of the table of targets."""
        return TARGETS[self.scheme]

    @property
    def login(self) -> str:
        """The device in a sentence: `pi@raspberrypi`, `the phone`."""
        if self.called:
            return self.called
        if self.place is not None:
            return f"a place with {self.place.filter}"
        if self.user:
            return f"{self.user}@{self.host}"
        return self.serial or self.kind.only if self.kind.only else self.host

    @property
    def serial(self) -> str:
        """The device as adb names it: `1A2B3C4D`, `10.0.0.7:5555`; empty: the only one that is connected."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    def with_python(self, python: str) -> str:
        """The text of the same address with another interpreter; its other options stay."""
        before, _, query = self.text.partition("?")
        options = query.split("&") if self.kind.has_tags and query else []
        kept = [option for option in options if not option.startswith("python=")]
        return f"{before}?{'&'.join([*kept, f'python={quote(python)}'])}"


#: This machine.
LOCAL = Address(scheme="local", text="local")

#: The machine that emulates the profile's device.
EMULATED = Address(scheme="qemu", text="qemu")


def parse(text: str) -> Address:
    """The address in `text`; a user's or a host's odd characters may be written as `%40`.

    Raises:
        UsageError: no target has such addresses, or a part of it is not one that can be.
    """
    text = _completed(text)
    kind = kind_of(text)
    if kind is None:
        raise UsageError(f"No target is called {text!r}.", f"A target is written {forms()}.")
    if kind.has_host:
        return _of_device(text, kind)
    if text != kind.scheme:
        raise UsageError(f"{text!r} is not the address of {kind.title}.", f"It is written `{kind.forms[0]}`.")
    return Address(scheme=kind.scheme, text=text)


def parse_device(text: str) -> Address:
    """The address of one of several devices.

    Raises:
        UsageError: it is anything else.
    """
    text = _completed(text)
    kind = kind_of(text)
    if kind is None or not kind.has_host:
        raise _wrong(text, "it is not of that form")
    return _of_device(text, kind)


def _completed(text: str) -> str:
    """An address as ssh and scp take it, `pi@board`, with its scheme; a scheme in capitals in small letters."""
    scheme, separator, rest = text.partition("://")
    if separator:
        return f"{scheme.lower()}{separator}{rest}"
    return f"ssh://{text}" if _LOGIN.fullmatch(text) else text


def kind_of(text: str) -> TargetKind | None:
    """The row for an address; None where no target has such addresses, as in a result of a newer edgecheck."""
    return TARGETS.get(text.partition("://")[0])


def is_this_machine(text: str) -> bool:
    """Whether an address, as text, is that of this machine."""
    kind = kind_of(text)
    return kind is not None and kind.is_this_machine


def is_emulated(text: str) -> bool:
    """Whether an address, as text, is that of an emulated machine."""
    kind = kind_of(text)
    return kind is not None and kind.emulated


def is_a_device(text: str) -> bool:
    """Whether an address, as text, is that of one of several devices."""
    kind = kind_of(text)
    return kind is not None and kind.has_host


def is_same_board(one: Address, other: Address) -> bool:
    """Whether two addresses are of one board, by what they say: a board may have several names."""
    return _board(one) == _board(other)


def distinct_boards(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """The addresses without those of a board that came before."""
    found: dict[Address, Address] = {}
    for each in addresses:
        found.setdefault(_board(each), each)
    return tuple(found.values())


def _board(address: Address) -> Address:
    """The address without what does not say which board it is."""
    return replace(address, text="", host=address.host.lower(), python=PYTHON, called="")


def forms() -> str:
    """How addresses are written, as a clause: `local, qemu or ssh://user@host`."""
    return _either([kind.forms[0] for kind in TARGETS.values()])


def device_forms() -> str:
    """How addresses of one of several devices are written, as a clause."""
    return _either([kind.forms[0] for kind in TARGETS.values() if kind.has_host])


def _either(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def beginnings() -> Mapping[str, str]:
    """What addresses begin with, as typed in a shell, and what each reaches."""
    return {f"{kind.scheme}://" if kind.has_host else kind.scheme: kind.title for kind in TARGETS.values()}


def on_the_device(device: str) -> str:
    """The option that runs a check on the device itself."""
    forms = next(kind.forms for kind in TARGETS.values() if kind.has_host)
    return f"--target {device}={forms[0]}"


def on_an_emulated_one() -> str:
    """The option that runs a check on an emulated device."""
    return f"--target {EMULATED}"


def _of_device(text: str, kind: TargetKind) -> Address:
    return _with_tags(text, kind) if kind.has_tags else _with_host(text, kind)


def _with_host(text: str, kind: TargetKind) -> Address:
    match = _FORM.fullmatch(_bracketed(text))
    if match is None or match["scheme"] != kind.scheme:
        raise _wrong(text, "it is not of that form")
    user, host = unquote(match["user"] or ""), unquote(match["host"]).strip("[]")
    if ":" in (match["user"] or ""):
        raise _wrong(text, "passwords have no place in an address")
    if match["user"] is not None and not kind.has_user:
        raise _wrong(text, f"{kind.title} takes no user's name")
    if not _IN_HOST.fullmatch(host) and not (kind.only and not host and match["port"] is None):
        raise _wrong(text, f"{host!r} cannot be a host's name")
    if match["user"] is not None and (not _IN_USER.fullmatch(user) or _AWKWARD.search(user)):
        raise _wrong(text, f"{user!r} cannot be a user's name")
    port, query = match["port"], match["query"]
    if port is not None and (not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16):
        raise _wrong(text, f"{port!r} is not a port")
    python = PYTHON if query is None else unquote(query.partition("=")[2])
    if query is not None and not _names_python(query, python):
        raise _wrong(text, f"{query!r} is not understood; it takes `?python=PATH`")
    return Address(
        scheme=kind.scheme, text=text, host=host, user=user, port=None if port is None else int(port), python=python
    )


def _with_tags(text: str, kind: TargetKind) -> Address:
    try:
        place = wanted(text)
    except ValueError as error:
        raise _wrong(text, str(error)) from error
    if place.python and not _names_python(f"python={place.python}", place.python):
        raise _wrong(text, f"{place.python!r} cannot be a Python")
    return Address(
        scheme=kind.scheme,
        text=text,
        host=place.host,
        port=place.port if place.host and place.port != PORT else None,
        python=place.python or PYTHON,
        place=place,
    )


def _names_python(query: str, python: str) -> bool:
    return query.startswith("python=") and bool(python) and python.isprintable() and not python.startswith("-")


def _wrong(text: str, why: str) -> UsageError:
    meant = kind_of(text)
    kinds = [meant] if meant is not None and meant.has_host else [kind for kind in TARGETS.values() if kind.has_host]
    forms = [form for kind in kinds for form in kind.forms]
    return UsageError(f"{text!r} is not the address of a device: {why}.", f"It is written {_either(forms)}.")


def _bracketed(text: str) -> str:
    """The address with brackets around an IPv6 host."""
    bare = _BARE_IPV6.fullmatch(text)
    try:
        if bare is None or ipaddress.ip_address(bare["host"]).version != _IPV6:
            return text
    except ValueError:
        return text
    user = f"{bare['user']}@" if bare["user"] is not None else ""
    return f"{bare['scheme']}://{user}[{bare['host']}]{bare['query'] or ''}"


_IPV6 = 6
