"""A place of a lab that is held for this process: the keeper is started, listened to, and asked to release it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgecheck.core.address import Address, parse_device
from edgecheck.core.text import clean
from edgecheck.errors import TargetError, UsageError
from edgecheck.interrupts import held
from edgecheck.leases import held_now, leased
from edgecheck.targets.labgrid.keeper import REMEDY
from edgecheck.targets.labgrid.parent import ENSURE

#: Seconds for the keeper to release the place; later it does so alone, while this process ends.
_GRACE = 4.0

#: Bytes at the end of the keeper's stderr that may say why it failed.
_TAIL = 65_536

#: The working directory is taken off the path, where a file may have the name of a library. edgecheck may run from a
#: checkout, so its folder is an argument.
_BOOT = (
    "import sys; sys.path[:] = [each for each in sys.path if each] + [sys.argv[1]];"
    "from edgecheck.targets.labgrid.keeper import main; main()"
)


class Keeper:
    """The process that holds a place, as a context manager; leaving it releases the place."""

    def __init__(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__; a pipe would have to be read
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(Path(__file__).parents[3])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,  # Ctrl-C reaches edgecheck alone
        )

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        with held():
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
            self._stderr.close()

    @property
    def lives(self) -> bool:
        """Whether it still holds what it held."""
        return self._process.poll() is None

    def send(self, **message: object) -> None:
        """Send a line; if the keeper has ended, the next answer says so."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was requested
        with suppress(OSError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def event(self) -> dict[str, Any]:
        """What it says next.

        Raises:
            TargetError: the error that it says, or it has ended.
        """
        assert self._process.stdout is not None  # noqa: S101 - a pipe was requested
        line = self._process.stdout.readline()
        if not line:
            raise TargetError(
                f"The process that holds a place of the lab ended: {self._last_words()}.",
                "Run it again: what it held is released then.",
            )
        event: dict[str, Any] = json.loads(line)
        if event["event"] in ("error", "failed"):
            raise TargetError(event["message"], event["hint"])
        return event

    def ask(self, do: str) -> None:
        """Have something done, and wait until it is; raises as `event` does."""
        with self._asking:
            self.send(do=do)
            while self.event()["event"] != "done":
                pass

    def _last_words(self) -> str:
        size = self._stderr.seek(0, 2)
        self._stderr.seek(max(0, size - _TAIL))
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return clean(lines[-1]).rstrip(".") if lines else f"exit code {self._process.wait()}"


@dataclass(slots=True, kw_only=True)
class Lease:
    """A place that is held."""

    keeper: Keeper
    place: str
    token: str
    """Of its reservation."""
    coordinator: str
    ssh: Address
    """Where its board is."""
    has_power: bool
    lost: str = ""
    """Why it is not ours any more; empty while it is."""

    def ensure_ours(self) -> None:
        """Ask the coordinator.

        Raises:
            TargetError: somebody else has the place.
        """
        try:
            self.keeper.ask(ENSURE)
        except TargetError as error:
            self.lost = error.message
            raise


def lease_of(address: Address, progress: Callable[[str], None] | None) -> Lease:
    """A place with the tags of `address`; the same one for as long as this command runs.

    `progress` is called with a few words while it is waited for; None: a place that is not free is an error at once.

    Raises:
        TargetError: there is none, it did not become free in time, or labgrid is not installed.
    """
    return leased(address, lambda: _leased(address, progress), lambda lease: not lease.lost and lease.keeper.lives)


@contextmanager
def _leased(address: Address, progress: Callable[[str], None] | None) -> Iterator[Lease]:
    _ensure_installed()
    with held():
        keeper = Keeper()
    say = progress or _silent
    with keeper:
        say(f"asking the lab for {address.login}")
        keeper.send(hold=str(address), at_once=progress is None)
        while (event := keeper.event())["event"] != "leased":
            if "words" in event:
                say(clean(event["words"]))
            _ensure_not_ours(address, event.get("tokens", ()))
        say(f"{clean(event['place'])} is ours: {_who(event)}")
        yield Lease(
            keeper=keeper,
            place=clean(event["place"]),
            token=event["token"],
            coordinator=event["coordinator"],
            ssh=_ssh(address, event),
            has_power=event["has_power"],
        )


def _silent(_words: str) -> None:
    """Report no progress."""


def _ensure_installed() -> None:
    """Raise if labgrid is not there.

    Raises:
        TargetError: as it says.
    """
    if find_spec("labgrid") is None or find_spec("grpc") is None:
        raise TargetError("labgrid is not installed here.", REMEDY)


def look(coordinator: str = "") -> str:
    """The coordinator's address and how many places it has, in words; empty: labgrid's own coordinator.

    Raises:
        TargetError: labgrid is not installed, or the coordinator does not answer.
    """
    _ensure_installed()
    with Keeper() as keeper:
        keeper.send(look=coordinator)
        seen = keeper.event()
    return f"{clean(seen['coordinator'])}, {seen['places']:,} place{'s' if seen['places'] != 1 else ''}"


def _ensure_not_ours(address: Address, tokens: list[str]) -> None:
    """Raise if every place that is waited for is held by this command itself."""
    ours = {lease.token: lease for lease in held_now() if isinstance(lease, Lease)}
    if tokens and all(token in ours for token in tokens):
        names = ", ".join(ours[token].place for token in tokens)
        raise TargetError(
            f"This run itself holds every place with {_filter(address)}: {names}.",
            "Give both devices the same address, which uses the place for one check after another.",
        )


def _filter(address: Address) -> str:
    return address.place.filter if address.place is not None else str(address)


def _ssh(address: Address, event: dict[str, Any]) -> Address:
    """The board's address.

    Raises:
        TargetError: it cannot be reached by ssh alone.
    """
    place, host = clean(event["place"]), str(event["host"])
    if "%" in host:
        raise TargetError(
            f"The board of {place} has the address {clean(host)}, on an interface of its exporter, out of ssh's reach.",
            "Give its NetworkService an address that the exporter's host can route to.",
        )
    try:
        user = f"{quote(str(event['user']), safe='')}@" if event["user"] else ""
        found = parse_device(f"ssh://{user}{f'[{host}]' if ':' in host else quote(host, safe='')}:{event['port']}")
        if event["via"]:
            parse_device(f"ssh://{event['via']}")
    except UsageError as error:
        raise TargetError(
            f"The NetworkService of {place} has no usable address: {_who(event)!r}.",
            "Correct it in the exporter's configuration: address, username, port.",
        ) from error
    called = f"{place} ({_who(event)})"
    return replace(found, text=str(address), python=address.python, via=str(event["via"]), called=called)


def _who(event: dict[str, Any]) -> str:
    user = f"{event['user']}@" if event["user"] else ""
    port = f":{event['port']}" if event["port"] != 22 else ""  # noqa: PLR2004 - ssh's own
    return clean(f"{user}{event['host']}{port}")
