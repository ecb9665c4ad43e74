"""The conversation with the host: what this device is, what its cache holds, and then what the host requests."""

import errno
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from edgecheck.bundles import probe
from edgecheck.targets.courier import job_folder as folders
from edgecheck.targets.courier import link as links
from edgecheck.targets.courier import receiving
from edgecheck.targets.courier import relay as relays
from edgecheck.targets.courier import store as stores

if TYPE_CHECKING:
    from typing import NoReturn  # since Python 3.6.2

#: Begins the first line: login shells may print before it.
GREETING = b"edgecheck-courier "

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Courier:
    """Answers one host, with one cache."""

    def __init__(self, link: links.Link, store: stores.Store) -> None:
        self._link = link
        self._store = store
        self._answers: dict[str, Callable[[dict[str, Any]], None]] = {
            "offer": self._offer,
            "put": self._put,
            "start": self._start,
            "resume": self._resume,
            "installed": self._installed,
            "cache": self._cache,
            "clear": self._clear,
        }

    def serve(self) -> "NoReturn":
        """Answer until the host leaves.

        Raises:
            links.Gone: it hung up.
            links.Left: it said goodbye.
        """
        while True:
            message = self._link.message()
            self._answers[message["do"]](message)

    def _offer(self, message: "dict[str, Any]") -> None:
        """Make room for the items that are missing here and name them; until the start nobody else brings any."""
        missing = self._missing(message)
        if missing and not self._store.bringing():
            self._link.until(self._store.bringing)
            missing = self._missing(message)  # another courier brought some meanwhile
        if missing:
            wanted = {item["digest"] for item in message["items"]}
            coming = sum(item["room"] - self._store.arrived(item) for item in missing.values())
            self._link.during(lambda: self._store.make_room(wanted, coming, message["limit"]))
        arrived = {digest: self._store.arrived(item) for digest, item in missing.items()}
        self._link.say(missing=list(missing), arrived=arrived)

    def _missing(self, message: "dict[str, Any]") -> "dict[str, dict[str, Any]]":
        return {item["digest"]: item for item in message["items"] if not self._store.has(item)}

    def _put(self, message: "dict[str, Any]") -> None:
        receiving.receive(self._link, self._store, message)

    def _start(self, message: "dict[str, Any]") -> None:
        folder = folders.JobFolder(self._store, message["token"])
        try:
            folder.lay_out(message["links"], message["job"])
            self._store.brought()
            with folder.lines.open("wb", 0) as kept:
                relays.Relay(self._link, folder.start(message["arguments"]), kept, folder.stderr).run()
        except links.Gone:
            folder.remove(keep_lines=True)
            raise
        finally:
            folder.remove(keep_lines=False)

    def _resume(self, message: "dict[str, Any]") -> None:
        """Send the rest of a broken check's lines, once its courier has noticed and left them."""
        folder = folders.JobFolder(self._store, message["token"])
        limit = time.monotonic() + self._link.silence_s + relays.GRACE_S
        self._link.until(lambda: folder.left.exists() or not folder.path.exists(), limit)
        if not folder.left.exists():
            self._link.say(error={"code": "nothing-left"})
            return
        self._link.say(started=True)
        self._link.write(folder.left.read_bytes()[message["received"] :])
        self._link.say(event="left", code=None, complaint="")  # a courier that was killed has not said so
        folder.left.unlink()

    def _installed(self, message: "dict[str, Any]") -> None:
        """Send the versions of the distributions, of those named, that this Python has."""
        found: dict[str, str] = {}
        for folder in filter(None, sys.path):
            for name in message["names"]:
                for path in Path(folder).glob(name + "-*.*-info"):  # .dist-info of pip's, .egg-info of Debian's
                    found.setdefault(name, path.stem[len(name) + 1 :].partition("-")[0])
        self._link.say(installed=found)

    def _cache(self, _message: "dict[str, Any]") -> None:
        entries = [entry._asdict() for entry in self._store.entries()]
        self._link.say(folder=str(self._store.folder), free=self._store.free(), entries=entries)

    def _clear(self, _message: "dict[str, Any]") -> None:
        self._link.say(freed=self._link.during(self._store.clear))


def main(silence_s: float) -> None:
    """Greet the host and serve it; a failure is sent as an `error` line."""
    for number in _SIGNALS:
        signal.signal(number, _stop)
    link = links.Link(silence_s)
    with suppress(links.Gone, links.Left):
        link.say(error=_served(link))


def _served(link: links.Link) -> "dict[str, Any]":
    """Serve the host. Returns why it cannot be served any longer."""
    try:
        folder = stores.chosen()
        store = stores.Store(folder / "device")
        greeting = {"protocol": 1, "facts": probe.facts(), "folder": str(folder)}
        link.write(b"\n" + GREETING)
        link.say(**greeting)
        Courier(link, store).serve()
    except stores.NoPlace as error:
        link.write(b"\n" + GREETING)
        link.say(protocol=1)
        return {"code": "no-place", "message": str(error)}
    except stores.NoRoom as error:
        return {"code": "no-room", "needed": error.needed, "free": error.free}
    except stores.Busy:
        return {"code": "busy"}
    except receiving.Damaged as error:
        return {"code": "damaged", "message": str(error)}
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        return {"code": "full" if full else "disk", "message": str(error)}


def _stop(_number: int, _frame: "FrameType | None") -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # nothing is to disturb the cleaning up
    raise links.Gone("stopped by a signal")
