"""The host's side of the conversation with the courier: greet, bring what is missing, start the agent."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.core.units import Unit, show
from edgecheck.errors import TargetError
from edgecheck.interrupts import held
from edgecheck.targets import ssh_client, ssh_program
from edgecheck.targets.ssh_pipes import WireBrokenError
from edgecheck.targets.ssh_refusals import printable, refusal, try_it
from edgecheck.targets.ssh_wire import NoGreetingError, Patience, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from edgecheck.core.address import Address
    from edgecheck.targets.ssh_cargo import Cargo, Item

#: As in courier/courier.py, which can only be imported where it runs.
_GREETING = b"edgecheck-courier "

#: Bytes of an upload between two words about it, at least.
_WORTH_TELLING = 2**20

#: Bytes that edgecheck keeps on a device.
CACHE_LIMIT = 2 * 10**9


@dataclass(frozen=True, slots=True)
class Courier:
    """A courier that has greeted."""

    wire: Wire
    address: Address
    greeting: Mapping[str, Any]
    """`facts` of `probe.py`, and the `folder` of the cache."""

    def ask(self, do: str, **message: object) -> dict[str, Any]:
        """Ask for `do` and give the answer.

        Raises:
            TargetError: it cannot be done (the message says why), or the wire broke (`WireBrokenError`).
        """
        self.wire.say(do=do, **message)
        return self._answer()

    def bring(self, items: Iterable[Item], tell: Callable[[str], None]) -> None:
        """Send what the device's cache does not have; raises as `ask` does."""
        wanted = {item.digest: item for item in items}
        offers = [item.offer for item in wanted.values()]
        answer = self.ask("offer", items=offers, limit=CACHE_LIMIT)
        for digest in answer["missing"]:
            self._put(wanted[digest], tell)

    def _put(self, item: Item, tell: Callable[[str], None]) -> None:
        total, step = show(item.size, Unit.BYTES), max(item.size // 10, _WORTH_TELLING)
        extra = {"unpacker": ssh_program.unpacker()} if item.kind == "tree" else {}
        tell(f"sending {item.what}, {total}")
        done = 0

        def sent(size: int) -> None:
            nonlocal done
            done += size
            if done % step < size and done < item.size:
                tell(f"sending {item.what}, {show(done, Unit.BYTES)} of {total}")

        with item.open() as content:
            try:
                self.wire.put({"do": "put", **item.offer, **extra}, content, sent)
            except WireBrokenError:
                self._answer()  # the device may have said why it takes no more
                raise

    def start(self, token: str, cargo: Cargo, *arguments: str) -> None:
        """Start the agent, whose lines follow; raises as `ask` does."""
        links = {name: {"kind": item.kind, "digest": item.digest} for name, item in cargo.items.items()}
        self.ask("start", token=token, links=links, job=dict(cargo.job), arguments=arguments)

    def _answer(self) -> dict[str, Any]:
        answer = self.wire.answer()
        if "error" in answer:
            raise _failure(self.address, str(self.greeting.get("folder")), answer["error"])
        return answer


@contextmanager
def connected(address: Address, patience: Patience) -> Iterator[Courier]:
    """A courier at `address`; leaving ends it and the connection.

    Raises:
        TargetError: the device cannot be reached, or lacks what is needed; the hint mends it.
    """
    program = ssh_program.program(patience.silence)
    argv = ssh_client.ssh_argv(address, ssh_program.boot(address.python, program))
    with ExitStack() as stack:
        with held():
            wire = stack.enter_context(Wire(argv, patience))
        try:
            greeting = wire.greet(program, _GREETING)
        except NoGreetingError as error:
            raise refusal(address, error.code, error.said) from error
        except WireBrokenError as error:
            message = f"{address.login} did not answer within {patience.greeting:.0f} s."
            raise TargetError(message, f"Try it by hand: {try_it(address)}") from error
        courier = Courier(wire, address, greeting)
        if "facts" not in greeting:
            courier._answer()  # noqa: SLF001 - it says why it cannot serve
        try:
            yield courier
        except WireBrokenError as error:
            raise lost(address, error) from error


def lost(address: Address, broken: WireBrokenError) -> TargetError:
    """The broken wire for a person, as a clause."""
    return TargetError(f"the connection to {address.login} was lost: {printable(broken.message)}")


def _failure(address: Address, folder: str, error: Mapping[str, Any]) -> TargetError:
    """What the courier says it cannot do, for a person."""
    message = printable(str(error.get("message", "")))
    match error.get("code"):
        case "no-room":
            needed, free = (show(error[key], Unit.BYTES) for key in ("needed", "free"))
            text = f"{address.login} has no room: {needed} are needed in {folder}, {free} are free."
            return TargetError(
                text, f"Free some there; `edgecheck cache --target {address.text}` shows what is edgecheck's."
            )
        case "full":
            text = f"The disk of {address.login} is full: {message}."
            return TargetError(
                text, f"Free some there; `edgecheck cache --target {address.text}` shows what is edgecheck's."
            )
        case "no-place":
            return TargetError(
                f"Nothing can be kept on {address.login}: {message}.", "Make one of these folders writable."
            )
        case "busy":
            return TargetError(f"The cache of {address.login} is in use by a check.", "Try again when it is done.")
        case "damaged":
            return TargetError(f"What was sent to {address.login} did not arrive whole: {message}.", "Try again.")
        case _:
            return TargetError(
                f"{address.login} failed in {folder}: {message or error.get('code')}.", "Check it on the device."
            )
