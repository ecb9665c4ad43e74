"""Boards of a labgrid lab: a place is reserved by its tags, waited for, acquired, used over SSH, and released.

target.py       a check: SSH to the place's board, which is chosen with the first command; if that hangs, it is
                power-cycled where that is allowed
lease.py        this side of the process that holds a place
keeper.py       that process: it releases the place when this one ends, however it ends
holding.py      its steps: reserve, wait, acquire, switch off and on; and release
parent.py       what it hears from this one, and says
coordinator.py  its requests to labgrid's coordinator
waiting.py      who has what is wanted, and what stands in the way; pure
records.py      what is held, on this machine's disk: for the next run, where the keeper was killed too

labgrid and gRPC are imported only in the keeper.
"""

from __future__ import annotations

from edgecheck.core.address import Address
from edgecheck.core.device import DeviceProfile
from edgecheck.targets.labgrid.target import Place, PlaceTarget


def open_target(address: Address, profile: DeviceProfile) -> PlaceTarget:
    """A place with the tags of `address`, for any profile."""
    del profile
    return PlaceTarget(opener=Place(address))


def opener(address: Address) -> Place:
    """The client for a place with the tags of `address`."""
    return Place(address)
