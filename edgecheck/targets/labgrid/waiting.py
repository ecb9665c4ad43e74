"""Which places of a lab have what is wanted, who has them, and how long the queue is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from edgecheck.core.place import NAME
from edgecheck.core.text import clean, listed

#: Names in a message.
_NAMED = 4

#: The class of a resource that says where a board's sshd is.
SERVICE = "NetworkService"

#: Classes of resources by which labgrid's client can switch a board off and on.
_POWER = re.compile(r"PowerPort|PDUDaemonPort|NetworkSysfsGPIO")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlace:
    """A place, as the coordinator knows it."""

    name: str
    tags: Mapping[str, str]
    owner: str = ""
    """`host/user` that acquired it; empty: nobody."""
    since: float = 0.0
    """When it was last acquired, released or changed: seconds since 1970."""
    reservation: str = ""
    """The token of the reservation that it is allocated to."""
    resources: tuple[LabResource, ...] = ()
    """What exporters have of it just now."""
    matches: tuple[str, ...] = ()
    """The patterns of the resources that it consists of."""

    def has(self, wanted: Mapping[str, str]) -> bool:
        """Whether it has all of the tags; `name` is the place's name, as for labgrid."""
        mine = {**self.tags, NAME: self.name}
        return all(mine.get(key) == value for key, value in wanted.items())

    @property
    def service(self) -> LabResource | None:
        """Where its board is."""
        return next((one for one in self.resources if one.kind == SERVICE and one.available), None)

    @property
    def has_power(self) -> bool:
        """Whether labgrid can switch its board off and on."""
        return any(_POWER.search(one.kind) for one in self.resources)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabResource:
    """Something that an exporter has of a place."""

    kind: str
    """`NetworkService`, `NetworkPowerPort`, …"""
    available: bool
    facts: Mapping[str, object]
    """Its parameters: `address`, `username`, `port`."""
    proxy: str = ""
    """The host to go through, where it cannot be reached directly."""


class State(Enum):
    """Of a reservation; the values are labgrid's."""

    WAITING = 0
    ALLOCATED = 1
    ACQUIRED = 2
    EXPIRED = 3
    INVALID = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Somebody's wish for a place."""

    token: str
    owner: str
    state: State
    wanted: Mapping[str, str]
    place: str = ""
    """The name of the place that it was given."""
    priority: float = 0.0
    created: float = 0.0


def who(owner: str) -> str:
    """A person or a job, as one is written: labgrid writes `host/user`."""
    host, _, user = owner.partition("/")
    return clean(f"{user}@{host}" if user else host)


def user_of(place: LabPlace, reservations: Iterable[Reservation], now: float) -> str:
    """Who has the place, as a clause; empty where nobody has."""
    name = clean(place.name)
    if place.owner:
        return f"{name} is in use by {who(place.owner)} {_since(place.since, now)}"
    owner = next((each.owner for each in reservations if place.reservation and each.token == place.reservation), "")
    return f"{name} is reserved for {who(owner)}" if owner else ""


def _since(moment: float, now: float) -> str:
    begin = datetime.fromtimestamp(moment).astimezone()
    return f"since {begin:%H:%M}" if 0 <= now - moment < 12 * 3600 else f"since {begin:%Y-%m-%d %H:%M}"


def users(places: Sequence[LabPlace], reservations: Sequence[Reservation], now: float) -> str:
    """Who has the places, as a clause."""
    clauses = [clause for place in places if (clause := user_of(place, reservations, now))]
    free = [clean(place.name) for place in places if not user_of(place, reservations, now)]
    if free:
        clauses.append(f"{listed(free, _NAMED)} {'are' if len(free) > 1 else 'is'} free")
    return listed(clauses, _NAMED)


def position(mine: Reservation, reservations: Iterable[Reservation], places: Sequence[LabPlace]) -> tuple[int, int]:
    """The place of a reservation in the queue for any of `places`, from 1, and how many wait there."""
    rivals = [
        each for each in reservations if each.state is State.WAITING and any(place.has(each.wanted) for place in places)
    ]
    order = [each.token for each in sorted(rivals, key=lambda each: (-each.priority, each.created))]
    return (order.index(mine.token) + 1 if mine.token in order else 1), max(1, len(order))


def tags_there(places: Iterable[LabPlace], wanted: Mapping[str, str]) -> str:
    """What the places have under the keys that are wanted, as a sentence for one who misspelt a tag."""
    places = list(places)
    if not places:
        return "The lab has no places."
    for key in wanted:
        values = sorted({clean(place.name if key == NAME else place.tags.get(key, "")) for place in places} - {""})
        if not values:
            keys = sorted({clean(key) for place in places for key in place.tags} | {NAME})
            return f"No place has a tag {key}; there are: {listed(keys, 2 * _NAMED)}."
        if wanted[key] not in values:
            return (
                f"There is {key}={f', {key}='.join(values[: 2 * _NAMED])}{', …' if len(values) > 2 * _NAMED else ''}."
            )
    return "Each of these tags is there, but no place has all of them."
