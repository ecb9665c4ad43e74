"""Addresses of places in a lab: what is understood, and what is refused with which reason."""

from __future__ import annotations

import pytest

from edgecheck.core.address import parse
from edgecheck.core.place import Wanted
from edgecheck.errors import UsageError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("labgrid://board=orin-nano", Wanted(tags=(("board", "orin-nano"),))),
        ("LABGRID://board=orin-nano/", Wanted(tags=(("board", "orin-nano"),))),
        ("labgrid://board=pi,rack=2", Wanted(tags=(("board", "pi"), ("rack", "2")))),
        ("labgrid://lab/board=a%C3%A9", Wanted(tags=(("board", "a\xe9"),), host="lab")),
        ("labgrid://lab:1234/board=pi", Wanted(tags=(("board", "pi"),), host="lab", port=1234)),
        ("labgrid://[::1]:1234/board=pi", Wanted(tags=(("board", "pi"),), host="::1", port=1234)),
        (
            "labgrid://board=pi?wait=10min&power_cycle=allowed&python=venv/bin/python3",
            Wanted(tags=(("board", "pi"),), wait=600.0, power_cycle=True, python="venv/bin/python3"),
        ),
        ("labgrid://board=pi?wait=0", Wanted(tags=(("board", "pi"),), wait=0.0)),
    ],
)
def test_an_address_is_taken_apart(text: str, place: Wanted) -> None:
    found = parse(text)
    assert (found.scheme, found.place, found.python) == ("labgrid", place, place.python or "python3")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("labgrid://", "it names no tag"),
        ("labgrid://lab/", "it names no tag"),
        ("labgrid://lab:1234/", "it names no tag"),
        ("labgrid://lab:1234", "'lab:1234' is not a tag such as board=orin-nano"),
        ("labgrid://board", "'board' is not a tag such as board=orin-nano"),
        ("labgrid://board=", "'board=' is not a tag such as board=orin-nano"),
        ("labgrid://=x", "'=x' is not a tag such as board=orin-nano"),
        ("labgrid://board=a,", "'' is not a tag such as board=orin-nano"),
        ("labgrid://board=a b", "'board=a b' is not a tag such as board=orin-nano"),
        ("labgrid://board=a%0Ab", "'board=a%0Ab' is not a tag such as board=orin-nano"),
        ("labgrid://board=a,board=b", "a place cannot have board=a and board=b"),
        ("labgrid://a/b/board=c", "it is not of that form"),
        ("labgrid://-x/board=a", "'-x' cannot be a coordinator's host"),
        ("labgrid://$(x)/board=a", "'$(x)' cannot be a coordinator's host"),
        ("labgrid://lab:0/board=a", "'0' is not a port"),
        ("labgrid://lab:99999/board=a", "'99999' is not a port"),
        ("labgrid://board=a?wait=10", "wait: '10' has no unit; expected a duration with its unit"),
        ("labgrid://board=a?wait=1s&wait=2s", "wait is there twice"),
        ("labgrid://board=a?power_cycle=yes", "power_cycle is 'yes', and can only be allowed"),
        ("labgrid://board=a?python=-c", "'-c' cannot be a Python"),
        ("labgrid://board=a?", "'' is not understood; it takes ?wait=10min, ?power_cycle=allowed, ?python=PATH"),
        ("labgrid://board=a?sudo=1", "'sudo=1' is not understood"),
    ],
)
def test_what_is_not_an_address_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert why in caught.value.message
    assert caught.value.hint == "It is written labgrid://board=NAME or labgrid://host:port/board=NAME."


def test_a_place_has_a_name_in_a_sentence() -> None:
    assert parse("labgrid://board=pi,rack=2").login == "a place with board=pi and rack=2"
    assert parse("labgrid://lab/board=pi").place == Wanted(tags=(("board", "pi"),), host="lab")
    coordinators = [parse(f"labgrid://{host}board=pi").place for host in ("", "lab/", "lab:1/", "[::1]/")]
    assert [place.coordinator for place in coordinators if place is not None] == [
        "",
        "lab:20408",
        "lab:1",
        "[::1]:20408",
    ]
