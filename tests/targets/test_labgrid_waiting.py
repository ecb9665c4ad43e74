"""Who has what is wanted, and what is said about it. Covers `labgrid/waiting.py`."""

from __future__ import annotations

from datetime import datetime

from edgecheck.targets.labgrid.waiting import (
    LabPlace,
    LabResource,
    Reservation,
    State,
    position,
    tags_there,
    user_of,
    users,
    who,
)

NOON = datetime(2026, 11, 29, 12, 3).astimezone().timestamp()


def place(name: str, owner: str = "", reservation: str = "", **tags: str) -> LabPlace:
    return LabPlace(name=name, tags=tags, owner=owner, since=NOON, reservation=reservation)


def waits(
    token: str, created: float, priority: float = 0.0, state: State = State.WAITING, **wanted: str
) -> Reservation:
    return Reservation(
        token=token, owner=f"desk/{token}", state=state, wanted=wanted, priority=priority, created=created
    )


def test_a_place_has_its_tags_and_its_name() -> None:
    one = place("orin-1", board="orin", rack="2")
    assert one.has({"board": "orin"})
    assert one.has({"board": "orin", "rack": "2", "name": "orin-1"})
    assert not one.has({"board": "orin", "rack": "1"})
    assert not one.has({"name": "orin"})


def test_who_has_a_place_and_since_when() -> None:
    mine = Reservation(token="T", owner="desk/ben", state=State.ALLOCATED, wanted={})
    assert user_of(place("a", "runner-7/ci"), (), NOON + 60) == "a is in use by ci@runner-7 since 12:03"
    assert user_of(place("a", "x"), (), NOON + 90_000) == "a is in use by x since 2026-11-29 12:03"
    assert user_of(place("a", reservation="T"), (mine,), NOON) == "a is reserved for ben@desk"
    assert user_of(place("a"), (mine,), NOON) == ""
    assert (
        users((place("a", "h/u"), place("b"), place("c")), (), NOON) == "a is in use by u@h since 12:03, b, c are free"
    )
    assert "\x1b" not in who("h/u\x1b[2J")


def test_the_queue_is_of_those_who_want_the_same_places() -> None:
    places = (place("a", "h/u", board="pi"),)
    mine = waits("mine", 3, board="pi")
    everyone = (
        waits("later", 4, board="pi"),
        mine,
        waits("earlier", 1, name="a"),
        waits("elsewhere", 0, board="orin"),
        waits("served", 0, state=State.ACQUIRED, board="pi"),
    )
    assert position(mine, everyone, places) == (2, 3)
    assert position(mine, (*everyone, waits("urgent", 9, priority=1.0, board="pi")), places) == (3, 4)
    assert position(mine, (), places) == (1, 1)


def test_what_can_switch_a_board_and_where_it_is() -> None:
    def resources(*kinds: str, available: bool = True) -> LabPlace:
        made = tuple(LabResource(kind=kind, available=available, facts={}) for kind in kinds)
        return LabPlace(name="a", tags={}, resources=made)

    for kind in ("NetworkPowerPort", "PDUDaemonPort", "NetworkUSBPowerPort", "TasmotaPowerPort", "NetworkSysfsGPIO"):
        assert resources(kind).has_power
    assert not resources("NetworkService", "NetworkSerialPort").has_power
    assert resources("NetworkSerialPort", "NetworkService").service is not None
    assert resources("NetworkService", available=False).service is None


def test_a_lab_says_what_it_has_instead() -> None:
    places = (place("a", board="pi", rack="1"), place("b", board="orin"))
    assert tags_there((), {"board": "x"}) == "The lab has no places."
    assert tags_there(places, {"bord": "pi"}) == "No place has a tag bord; there are: board, name, rack."
    assert tags_there(places, {"board": "p"}) == "There is board=orin, board=pi."
    assert tags_there(places, {"name": "c"}) == "There is name=a, name=b."
    assert tags_there(places, {"board": "orin", "rack": "1"}).startswith("Each of these tags is there")
