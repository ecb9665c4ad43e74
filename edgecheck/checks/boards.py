"""The boards of a device that has several: where a check may run, and what became of those that were lost."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from edgecheck.core.address import Address, Sharing
from edgecheck.core.caveats import Caveat
from edgecheck.core.report import LostBoard
from edgecheck.errors import BoardLostError, ConnectionLostError, EdgecheckError, TargetError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Boards:
    """Where else a check may run than on its target."""

    addresses: tuple[Address, ...] = ()
    """Every address of the device; empty where it has one, which is the check's target."""
    preferred: str = ""
    """The address that measured what the check is compared with; empty: any will do."""
    lost: tuple[LostBoard, ...] = ()
    """Those that were lost with this check."""
    moved_from: str = ""
    """The board that was lost after it had measured others that this check is compared with; empty: there was none."""
    is_without: bool = False
    """Whether no board is left, so that all of `lost` say why nothing can run."""


#: A device with one address, or none.
ONE = Boards()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item may run."""

    boards: tuple[str, ...]
    group: Hashable = None
    """Items of one group stay on one board; None: each is a separate group."""
    preferred: str = ""
    """The board to run on, as long as it is there; empty: any."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The board that takes an item."""

    board: str
    """Its address; empty where none is left."""
    lost: tuple[LostBoard, ...] = ()
    """The boards that were lost with the item; where none is left, all of them."""
    moved_from: str = ""
    """The board that was lost after it had done others of the item's group."""


def ensure_boards(device: str, addresses: Sequence[Address]) -> None:
    """Check that several addresses of a device are all of boards, which can take each other's checks.

    Raises:
        UsageError: one of them is this machine or the emulated one, or no device is named.
    """
    others = [each for each in addresses if each.kind.sharing is not Sharing.ONE]
    if len(addresses) > 1 and (others or not device):
        first, second = addresses[:2]
        only = f" {others[0]} is {others[0].kind.title}: give it alone." if others else ""
        raise UsageError(
            f"{device or 'every device'} is at {first} and at {second}.",
            f"Several addresses are those of one device's boards: --target DEVICE={addresses[-1]} for each.{only}",
        )


def hand_on(boards: Boards, error: EdgecheckError) -> None:
    """Where the board is what failed and the device has others, have one of them take the check.

    Raises:
        BoardLostError: it has.
    """
    if boards.addresses and not boards.is_without and isinstance(error, TargetError):
        raise BoardLostError(error.message, error.hint, midway=isinstance(error, ConnectionLostError)) from error


def ensure_one_left(boards: Boards) -> None:
    """Check that a board can take the check.

    Raises:
        TargetError: none can; the message has the reason of each.
    """
    if boards.is_without:
        _none_left(boards)


def _none_left(boards: Boards) -> NoReturn:
    alive = len(boards.addresses) - len(boards.lost)
    reasons = " ".join(f"{one.address}: {one.reason}" for one in boards.lost)
    if alive > 0:  # see `rack.MOST_LOST`
        raise TargetError(
            f"{len(boards.lost)} boards were lost while this check ran on them, so no other one takes it. {reasons}",
            "It may be what takes them down: run it alone, on a board that may fail.",
        )
    raise TargetError(
        f"No board of this device is left. {reasons}", "Repair one of them, or correct its address, and run it again."
    )


def doubts_of_boards(boards: Boards, target: str) -> Iterator[Caveat]:
    """That a check at the address `target`, or what it is compared with, was on another board before."""
    if boards.is_without:
        return
    for one in boards.lost:
        yield Caveat(
            "board-lost",
            f"{one.address} was lost with this check, which {target} did then. {one.reason}",
            "It got no further check.",
        )
    if boards.moved_from:
        yield Caveat(
            "board-changed",
            f"Other variants of this model were measured on {boards.moved_from}, which was lost.",
            f"Times of this one are those of {target}: compare them with those of the others with care.",
        )
    if boards.addresses and boards.preferred not in ("", target):
        yield Caveat(
            "board-changed",
            f"The baseline was measured on {boards.preferred}, which could not be used.",
            "Times of two boards are not compared. Measure the baseline again once the board is replaced.",
        )
