"""The host's side of the conversation with the courier: send it, greet it, bring what is missing, start the agent."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from edgecheck.core.protocol import MisfitError, Shape, by_name, flag, many, number, parsed, record, text, whole
from edgecheck.core.units import Unit, show
from edgecheck.errors import ConnectionLostError, TargetError, UnreachableError
from edgecheck.interrupts import held
from edgecheck.targets.shell.opener import Opener, printable
from edgecheck.targets.shell.upload import Item, Upload
from edgecheck.targets.shell.wire import NoAnswerError, NoGreetingError, Patience, Wire, WireBrokenError

#: As in courier/courier.py, which is only imported where it runs.
_GREETING = b"edgecheck-courier "

#: Bytes of an upload between two progress messages, at least.
_WORTH_REPORTING = 2**20

#: Bytes that edgecheck keeps on a device.
CACHE_LIMIT = 2 * 10**9

#: The courier's modules, each after those that it imports; the last one is started.
_MODULES = (
    "edgecheck.bundles.probe",
    *(f"edgecheck.targets.courier.{name}" for name in ("link", "store", "receiving", "job_folder", "relay", "courier")),
)

_FACTS_IN_WORDS = ("system", "implementation", "python", "machine", "libc", "libc_version")

#: By what the courier is asked to do: its answer. The greeting, and an error, which may come in place of any of them.
_ANSWERS: Mapping[str, Shape] = {
    "offer": record({"missing": many(text())}, {"arrived": by_name(whole())}),
    **dict.fromkeys(("start", "resume"), record({"started": flag})),
    "installed": record({"installed": by_name(text())}),
    "cache": record(
        {
            "folder": text(),
            "free": whole(),
            "entries": many(
                record({**dict.fromkeys(("kind", "digest", "label"), text()), "size": whole(), "used": number(0, 1e11)})
            ),
        }
    ),
    "clear": record({"freed": whole()}),
}
_FACTS = record({}, {"bits": whole(), **dict.fromkeys(_FACTS_IN_WORDS, text())})
_GREETED = record({}, {"facts": _FACTS, "folder": text()})
_ERROR = record({}, {**dict.fromkeys(("code", "message"), text()), **dict.fromkeys(("needed", "free"), whole())})

#: Without a single quote, a backslash or a `!`: any login shell takes it in single quotes. It is valid Python 2, too,
#: to say that this is not enough, and imports nothing from the user's home, where a file may be called `zlib.py`.
_BOOT = (
    "import sys;sys.path[:1]=[];"
    'sys.version_info<(3,6) and sys.exit("edgecheck needs Python 3.6 or newer; this is "+sys.version.split()[0]);'
    "import zlib;exec(zlib.decompress(sys.stdin.buffer.read({size})))"
)

#: The modules keep their names, so that they import each other as they do here; their packages are empty.
_LOADER = """
import sys, types
for name, text in {modules!r}:
    *packages, leaf = name.split(".")
    for last in range(len(packages)):
        package = ".".join(packages[: last + 1])
        sys.modules.setdefault(package, types.ModuleType(package))
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules[package], leaf, module)
    exec(compile(text, name.replace(".", "/") + ".py", "exec"), module.__dict__)
module.main({silence!r})
"""


@dataclass(frozen=True, slots=True)
class CourierClient:
    """A courier that has greeted, as the host talks to it."""

    wire: Wire
    opener: Opener
    greeting: Mapping[str, Any]
    """`facts` of `probe.py`, and the `folder` of the cache."""

    def ask(self, do: str, **message: object) -> dict[str, Any]:
        """Ask the courier to `do` something; returns its answer.

        Raises:
            TargetError: it cannot be done (the message says why), or the wire broke (`WireBrokenError`).
        """
        self.wire.say(do=do, **message)
        return self.answer(_ANSWERS[do])

    def answer(self, shape: Shape) -> dict[str, Any]:
        """The courier's next line, as `shape` reads it; raises as `ask` does."""
        answer = self.wire.answer()
        if "error" in answer:
            error = fitting(self.opener, _ERROR, answer["error"], "error")
            raise _failure(self.opener, str(self.greeting.get("folder")), error)
        fits: dict[str, Any] = fitting(self.opener, shape, answer)
        return fits

    def bring(self, items: Iterable[Item], progress: Callable[[str], None]) -> None:
        """Send what the device's cache does not have; raises as `ask` does."""
        wanted = {item.digest: item for item in items}
        offers = [item.offer for item in wanted.values()]
        answer = self.ask("offer", items=offers, limit=CACHE_LIMIT)
        for digest in dict.fromkeys(answer["missing"]):
            if digest not in wanted:
                raise _does_not_fit(self.opener, "missing: a digest that was not offered")
            self._put(wanted[digest], answer.get("arrived", {}).get(digest, 0), progress)

    def _put(self, item: Item, done: int, progress: Callable[[str], None]) -> None:
        """Send an item without its first `done` bytes, which are there from an earlier connection."""
        total, step = show(item.size, Unit.BYTES), max(item.size // 10, _WORTH_REPORTING)
        extra = {"unpacker": _text("edgecheck.bundles.unpacker")} if item.kind == "tree" else {}
        done = min(done, item.size)
        progress(f"sending {item.what}, {f'the rest after {show(done, Unit.BYTES)} of {total}' if done else total}")

        def sent(size: int) -> None:
            nonlocal done
            done += size
            if done % step < size and done < item.size:
                progress(f"sending {item.what}, {show(done, Unit.BYTES)} of {total}")

        with item.open() as content:
            content.seek(done)
            try:
                self.wire.put({"do": "put", **item.offer, "sent": done, **extra}, content, sent)
            except WireBrokenError:
                self.answer(record({}))  # the device may have said why it takes no more
                raise
        if item.kind == "tree":
            progress(f"unpacking {item.what} on the device")

    def start(self, token: str, upload: Upload, *arguments: str) -> None:
        """Start the agent, whose lines follow; raises as `ask` does."""
        links = {name: {"kind": item.kind, "digest": item.digest} for name, item in upload.items.items()}
        self.ask("start", token=token, links=links, job=dict(upload.job), arguments=arguments)


@contextmanager
def connected(
    opener: Opener, patience: Patience, progress: Callable[[str], None] | None = None
) -> Iterator[CourierClient]:
    """A courier on the opener's device; leaving ends it and the connection.

    Args:
        opener: How it is reached.
        patience: How long to wait for what.
        progress: As for `Opener.interpreter`.

    Raises:
        TargetError: the device cannot be reached, or lacks something; the hint says how to fix it.
    """
    program = _program(patience.silence)
    with ExitStack() as stack:
        command = _boot(opener.interpreter(progress), program)
        with held():
            wire = stack.enter_context(Wire(opener, command, patience))
        try:
            greeting = parsed(wire.greet(program, _GREETING))
        except MisfitError as misfit:
            raise _does_not_fit(opener, str(misfit)) from misfit
        except NoGreetingError as error:
            raise opener.refusal(error.code, error.said) from error
        except NoAnswerError as error:
            raise _no_answer(opener, patience, error.said) from error
        client = CourierClient(wire, opener, fitting(opener, _GREETED, greeting))
        try:
            if "facts" not in client.greeting:
                client.answer(record({}))  # it says why it cannot serve
                raise _does_not_fit(opener, "a greeting without facts")
            yield client
        except WireBrokenError as error:
            raise lost(opener, error) from error


def _no_answer(opener: Opener, patience: Patience, said: str) -> TargetError:
    login, seconds = opener.address.login, f"{patience.greeting:.0f} s"
    lines = printable(said).splitlines()
    if not lines:
        return UnreachableError(f"{login} did not answer within {seconds}.", f"Try it by hand: {opener.try_it()}")
    return TargetError(
        f"{login} printed {lines[-1].strip()!r} and did not start {opener.address.python} within {seconds}: its start "
        "files, such as ~/.bashrc, may wait for input or start another program.",
        "Let them do that in terminals only (case $- in *i*) ;; *) return ;; esac), and try it by hand: "
        f"{opener.try_it()}",
    )


def lost(opener: Opener, broken: WireBrokenError) -> TargetError:
    """The broken wire as a clause, for a person."""
    found = opener.when_lost()
    why = found.why or printable(broken.message)
    return ConnectionLostError(f"the connection to {opener.address.login} was lost: {why}", found.hint)


def fitting(opener: Opener, shape: Shape, message: object, path: str = "") -> Any:
    """What `shape` keeps of a message.

    Raises:
        TargetError: it does not fit.
    """
    try:
        return shape(message, path)
    except MisfitError as misfit:
        raise _does_not_fit(opener, str(misfit)) from misfit


def _does_not_fit(opener: Opener, problem: str) -> TargetError:
    device = opener.address.login
    return TargetError(
        f"{device} sent an answer that does not fit the protocol: {problem}.",
        "Something other than edgecheck answers there, or its memory or disk is damaged.",
    )


def _failure(opener: Opener, folder: str, error: Mapping[str, Any]) -> TargetError:
    """The courier's error, for a person."""
    device, message = opener.address.login, printable(str(error.get("message", "")))
    match error.get("code"):
        case "no-room":
            needed, free = (show(error.get(key, 0), Unit.BYTES) for key in ("needed", "free"))
            return TargetError(
                f"{device} has no room: {needed} are needed in {folder}, {free} are free.", _room(opener)
            )
        case "full":
            return TargetError(f"The disk of {device} is full.", _room(opener))
        case "no-place":
            return TargetError(
                f"Nothing can be kept on {device}: {message}.",
                "Make one of these folders writable, on a disk without noexec, or set XDG_CACHE_HOME there.",
            )
        case "busy":
            return TargetError(f"The cache of {device} is in use by a check.", "Try again when it is done.")
        case "damaged":
            return TargetError(f"What was sent to {device} was damaged on the way: {message}.", "Try again.")
        case _:
            text = f"{device} failed in {folder}: {message or error.get('code')}."
            return TargetError(text, "Check it on the device.")


def _room(opener: Opener) -> str:
    return f"Free some there; `edgecheck cache --target {opener.address}` shows what is edgecheck's."


def _program(silence: float) -> bytes:
    """What the Python that `_boot` starts reads from stdin; `silence` as in `Patience`."""
    modules = tuple((name, _text(name)) for name in _MODULES)
    return zlib.compress(_LOADER.format(modules=modules, silence=silence).encode(), 9)


def _boot(python: str, program: bytes) -> tuple[str, ...]:
    """The command that runs `program` on the device."""
    return python, "-c", _BOOT.format(size=len(program))


@cache
def _text(module: str) -> str:
    """The source of an installed module, which is found without running it."""
    package, _, name = module.rpartition(".")
    return (Path(str(import_module(package).__file__)).parent / f"{name}.py").read_text(encoding="utf-8")
