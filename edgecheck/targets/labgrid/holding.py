"""The steps of a keeper: reserve a place by its tags, wait for it, acquire it, switch it off and on, release it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from edgecheck.core.place import Wanted
from edgecheck.core.text import clean, listed
from edgecheck.errors import TargetError
from edgecheck.targets.labgrid import waiting
from edgecheck.targets.labgrid.coordinator import Coordinator, RefusedError, owner
from edgecheck.targets.labgrid.parent import CYCLE, GoneError, Parent
from edgecheck.targets.labgrid.records import Held, Record, abandoned, folder
from edgecheck.targets.labgrid.waiting import LabPlace, LabResource, Reservation, State

#: Seconds between two looks at a reservation, and at a place that is held. labgrid forgets a reservation that nobody
#: asks about for a minute.
_LOOK, _WATCH = 1.0, 5.0

#: Seconds after which a waiting user hears the same again.
_REPEAT = 30.0

#: Attempts to release a place while the coordinator does not answer, and the seconds between them.
_ATTEMPTS, _BETWEEN = 10, 3.0

#: Names in a message.
_NAMED = 4


def hold(lab: Coordinator, wanted: Wanted, parent: Parent) -> None:
    """Hold a place until the parent is gone; then release it.

    Raises:
        TargetError: there is no such place, it did not become free in time, or it was lost.
    """
    _release_abandoned(lab, parent)
    _ensure_there(lab, wanted)
    reservation = lab.reserve(dict(wanted.tags))
    held = Held(coordinator=lab.name, owner=owner(), token=reservation.token)
    record = _recorded(lab, held)
    try:
        place = _allocated(lab, wanted, reservation, parent)
        held = replace(held, place=place)
        record.write(held)  # before it is acquired: a reservation ends by itself, that does not
        service = _acquired(lab, place)
        _say_where(lab, held, service, parent)
        if not _serve(lab, held, parent):
            held = replace(held, place="")  # whoever has it now, keeps it
    finally:
        _release(lab, held, record)


def _recorded(lab: Coordinator, held: Held) -> Record:
    try:
        return Record.begun(held)
    except OSError as error:
        lab.cancel(held.token)
        raise TargetError(
            f"What is held in the lab cannot be noted in {folder()}: {error.strerror}.",
            "Make it writable, or set XDG_STATE_HOME: after a crash, the next run releases what is noted there.",
        ) from error


def _ensure_there(lab: Coordinator, wanted: Wanted) -> None:
    """Raise where waiting for such a place would be in vain."""
    found = _with_tags(lab, wanted)
    if all(place.service is None for place in found):
        raise _no_service(lab, found)


def _with_tags(lab: Coordinator, wanted: Wanted) -> Sequence[LabPlace]:
    """The places with the tags, at least one."""
    places = lab.places()
    found = [place for place in places if place.has(dict(wanted.tags))]
    if not found:
        raise TargetError(
            f"No place of the lab at {lab.name} has {wanted.filter}.",
            f"{waiting.tags_there(places, dict(wanted.tags))} All places with their tags: "
            f"labgrid-client -x {lab.name} -v places",
        )
    return found


def _no_service(lab: Coordinator, places: Sequence[LabPlace]) -> TargetError:
    names, client = listed([clean(place.name) for place in places], _NAMED), f"labgrid-client -x {lab.name}"
    if all(not place.resources for place in places):
        return TargetError(
            f"No exporter has the resources of {names} just now.",
            f"Start the exporter, or correct the place's matches: {client} -p {places[0].name} show",
        )
    kinds = sorted({clean(resource.kind) for place in places for resource in place.resources})
    return TargetError(
        f"{names} {'have' if len(places) > 1 else 'has'} no {waiting.SERVICE}, which says where the board's SSH server "
        f"is (only {listed(kinds, _NAMED)}).",
        "Add one to the exporter's configuration, with address and username: "
        "https://labgrid.readthedocs.io/en/latest/configuration.html#networkservice",
    )


def _allocated(lab: Coordinator, wanted: Wanted, mine: Reservation, parent: Parent) -> str:
    """Wait until the reservation has a place; returns its name."""
    until, said, again = time.monotonic() + wanted.wait, "", 0.0
    while True:
        mine = _alive(lab, mine.token)
        if mine.state is State.ALLOCATED and mine.place:
            return mine.place
        places = _with_tags(lab, wanted)
        everyone = lab.reservations()
        users = waiting.users(places, everyone, time.time())
        if time.monotonic() >= until:
            raise _too_long(wanted, users)
        at, of = waiting.position(mine, everyone, places)
        words = f"{users}; number {at} of {of} in the queue"
        if words != said or time.monotonic() >= again:
            said, again = words, time.monotonic() + _REPEAT
            left = max(0.0, until - time.monotonic())
            parent.say(
                "waiting",
                words=f"waiting for a place with {wanted.filter} for up to {_minutes(left)}: {words}",
                tokens=[place.reservation for place in places],
            )
        parent.pause(min(_LOOK, max(0.0, until - time.monotonic())))


def _alive(lab: Coordinator, token: str) -> Reservation:
    try:
        mine = lab.poll(token)
    except RefusedError as error:
        raise _expired("is gone") from error
    if mine.state in (State.EXPIRED, State.INVALID):
        raise _expired("has expired" if mine.state is State.EXPIRED else "is invalid: its place was deleted")
    return mine


def _expired(how: str) -> TargetError:
    return TargetError(
        f"The reservation {how}: it was cancelled, or the coordinator was restarted.",
        "Run it again, which makes a new one.",
    )


def _too_long(wanted: Wanted, users: str) -> TargetError:
    if not wanted.wait:
        return TargetError(f"No place with {wanted.filter} is free: {users}.", "Ask who has it, or run it again later.")
    longer = f"{max(1, round(2 * wanted.wait / 60))}min"
    return TargetError(
        f"No place with {wanted.filter} became free within {_minutes(wanted.wait)}: {users}.",
        f"Ask who has it, or wait longer: add ?wait={longer} to the address.",
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - until there, seconds read well


def _acquired(lab: Coordinator, name: str) -> LabResource:
    """Acquire the place; returns where its board is."""
    try:
        lab.acquire(name)
    except RefusedError as error:
        now = next((place for place in lab.places() if place.name == name), None)
        if now is not None and now.owner:
            raise TargetError(
                f"{clean(name)} was acquired by {waiting.who(now.owner)} in the meantime.", "Run it again, which waits."
            ) from error
        raise TargetError(
            f"{clean(name)} could not be acquired: {error.message.rstrip('.')}.",
            "An exporter may have lost a resource of it, or another place may use one: "
            f"labgrid-client -x {lab.name} -p {name} show",
        ) from error
    place = next(place for place in lab.places() if place.name == name)
    if place.service is None:
        raise _no_service(lab, [place])
    return place.service


def _say_where(lab: Coordinator, held: Held, service: LabResource, parent: Parent) -> None:
    place = next(place for place in lab.places() if place.name == held.place)
    parent.say(
        "leased",
        place=held.place,
        token=held.token,
        coordinator=lab.name,
        host=str(service.facts.get("address") or ""),
        user=str(service.facts.get("username") or ""),
        port=int(str(service.facts.get("port") or 22)),
        via=service.proxy,
        has_power=place.has_power,
    )


def _serve(lab: Coordinator, held: Held, parent: Parent) -> bool:
    """Do what the parent asks for until it is gone; returns whether the place is still held."""
    while True:
        try:
            asked = parent.pause(_WATCH)
        except GoneError:
            return True
        try:
            _ensure_ours(lab, held, patient=not asked)
        except TargetError as error:
            parent.say("failed", message=error.message, hint=error.hint)
            return False
        if asked:
            _do(lab, held, asked, parent)


def _do(lab: Coordinator, held: Held, asked: str, parent: Parent) -> None:
    try:
        if asked == CYCLE:
            cycle(lab.name, held.place)
    except TargetError as error:
        parent.say("failed", message=error.message, hint=error.hint)
    else:
        parent.say("done")


def _ensure_ours(lab: Coordinator, held: Held, *, patient: bool) -> None:
    """Raise if somebody else has the place now; a `patient` look lets the coordinator not answer."""
    try:
        places = lab.places()
    except TargetError:
        if patient:
            return
        raise
    place = next((place for place in places if place.name == held.place), None)
    if place is not None and place.owner == held.owner:
        return
    how = f"{waiting.who(place.owner)} has it now" if place is not None and place.owner else "it was released"
    raise TargetError(
        f"{clean(held.place)} was taken away during the check: {how}.",
        "Somebody released it by hand, or the coordinator was restarted. Run it again.",
    )


def _release(lab: Coordinator, held: Held, record: Record) -> None:
    """Release and cancel; where the coordinator does not answer, the next run on this machine does it."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_BETWEEN)
        with suppress(TargetError):
            _released(lab, held)
            record.end()
            return
    record.close()


def _released(lab: Coordinator, held: Held) -> None:
    with suppress(RefusedError):  # the place was deleted
        if held.place:
            lab.release(held.place)
    with suppress(RefusedError):  # the reservation has ended already
        lab.cancel(held.token)


def _release_abandoned(lab: Coordinator, parent: Parent) -> None:
    """What a killed keeper held, if nobody has acquired it since."""
    for record, held in _mine(lab):
        place = next((place for place in lab.places() if place.name == held.place), None)
        still = place is not None and (place.owner, place.reservation) == (held.owner, held.token)
        _released(lab, held if still else replace(held, place=""))
        if still:
            parent.say("note", words=f"released {clean(held.place)}, which a killed edgecheck had left acquired")
        record.end()


@contextmanager
def _left_alone(record: Record) -> Iterator[None]:
    try:
        yield
    except BaseException:
        record.close()
        raise


def _mine(lab: Coordinator) -> Iterator[tuple[Record, Held]]:
    """Abandoned records about this coordinator; damaged ones are removed."""
    for record in abandoned():
        with _left_alone(record):
            try:
                held = record.read()
            except ValueError:
                record.end()
                continue
            if (held.coordinator, held.owner) != (lab.name, owner()):
                record.close()
                continue
            yield record, held


#: Seconds for one command; labgrid itself waits 2 s between off and on.
_POWER_PATIENCE = 120.0

#: The module of this environment, not one of the working directory. An interruption must not come between off and on.
_BOOT = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "sys.path[:] = [each for each in sys.path if each];"
    "from labgrid.remote.client import main; main()"
)


def cycle(coordinator: str, place: str) -> None:
    """Switch the board of an acquired place off and on.

    Raises:
        TargetError: labgrid could not; it was asked to switch it on all the same.
    """
    failed = _power(coordinator, place, "cycle")
    if failed:
        _power(coordinator, place, "on")
        raise TargetError(
            f"labgrid could not power-cycle {clean(place)}: {failed}.",
            f"Try it by hand: labgrid-client -x {coordinator} -p {place} power cycle",
        )


def _power(coordinator: str, place: str, action: str) -> str:
    """Why it did not work; empty where it did."""
    argv = [sys.executable, "-c", _BOOT, "-x", coordinator, "-p", place, "power", action]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_POWER_PATIENCE,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"its client did not end within {_POWER_PATIENCE:.0f} s"
    if done.returncode == 0:
        return ""
    said = (done.stderr + done.stdout).decode("utf-8", "replace").strip().splitlines()
    return clean(said[-1].strip().rstrip(".")) if said else f"exit code {done.returncode}"
