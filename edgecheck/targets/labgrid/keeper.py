"""The process that holds a place for another one, and releases it when that one ends, however it ends.

It reads from stdin what is wanted, then requests, a JSON object on each line; the end of stdin is the end of the other
process. It writes events to stdout in the same way. What it writes to stderr explains why it failed.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgecheck.core.address import parse
from edgecheck.errors import EdgecheckError, TargetError
from edgecheck.targets.labgrid.parent import GoneError, Parent

if TYPE_CHECKING:
    from edgecheck.core.place import Wanted

#: What installs the packages that are needed.
REMEDY = "pip install 'edgecheck-ml[labgrid]'"


def main() -> None:
    """Hold what the first line asks for, or say what is there."""
    parent = Parent()
    try:
        _do(parent)
    except EdgecheckError as error:
        parent.say("error", message=error.message, hint=error.hint)
    sys.stderr.flush()
    os._exit(0)  # gRPC's threads take their time, and have nothing left to do


def _do(parent: Parent) -> None:
    try:
        from edgecheck.targets.labgrid.coordinator import connected
        from edgecheck.targets.labgrid.holding import hold
    except ImportError as error:
        raise TargetError(
            f"The labgrid that is installed here cannot be used: {error}.", f"Install 25.0 or newer: {REMEDY}"
        ) from error
    with suppress(GoneError):
        asked = parent.line(None)
        if "look" in asked:
            with connected(asked["look"]) as lab:
                parent.say("seen", coordinator=lab.name, places=len(lab.places()))
            return
        wanted = _wanted(asked)
        with connected(wanted.coordinator) as lab:
            hold(lab, wanted, parent)


def _wanted(asked: dict[str, Any]) -> Wanted:
    place = parse(asked["hold"]).place
    assert place is not None  # noqa: S101 - the parent sends the address of a place
    return replace(place, wait=0.0) if asked["at_once"] else place
