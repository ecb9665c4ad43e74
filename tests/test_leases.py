"""What a command holds until it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgecheck.leases import held_now, leased, releasing


class Desk:
    """Hands things out, and remembers."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @contextmanager
    def out(self, name: str) -> Iterator[list[str]]:
        self.told.append(f"{name} out")
        try:
            yield [name]
        finally:
            self.told.append(f"{name} back")

    def lease(self, name: str) -> list[str]:
        """Good for as long as it is not empty."""
        return leased((id(self), name), lambda: self.out(name), bool)


def test_a_lease_is_made_once_and_released_at_the_end() -> None:
    desk = Desk()
    with releasing():
        first = desk.lease("a")
        assert desk.lease("a") is first
        assert held_now() == (first,)
        desk.lease("b")
        assert desk.told == ["a out", "b out"]
    assert desk.told == ["a out", "b out", "b back", "a back"]
    assert held_now() == ()


def test_the_innermost_scope_releases_what_was_made_in_it() -> None:
    desk = Desk()
    with releasing():
        desk.lease("a")
        with releasing():
            desk.lease("a")
            desk.lease("b")
        assert desk.told == ["a out", "b out", "b back"]
    assert desk.told[-1] == "a back"


def test_what_is_not_good_any_more_is_released_and_made_again() -> None:
    desk = Desk()
    with releasing():
        first = desk.lease("a")
        first.clear()
        assert desk.lease("a") is not first
        assert desk.told == ["a out", "a back", "a out"]


def test_an_error_inside_releases_everything() -> None:
    desk = Desk()
    with pytest.raises(ZeroDivisionError), releasing():
        desk.lease("a")[1 // 0]
    assert desk.told == ["a out", "a back"]
