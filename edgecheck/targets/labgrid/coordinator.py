"""Requests to a labgrid coordinator, over labgrid's own gRPC stubs; imported only in the keeper.

The stubs instead of labgrid's `ClientSession`: that one prints, runs its own event loop, and sets no time limits.
Instead of its command line: that one says who has a place and how long the queue is only in tables for people.
"""

from __future__ import annotations

import getpass
import os
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from labgrid.remote import common
from labgrid.remote.generated import labgrid_coordinator_pb2 as messages
from labgrid.remote.generated import labgrid_coordinator_pb2_grpc as stubs
from labgrid.util import labgrid_version

from edgecheck.core.place import PORT
from edgecheck.core.text import clean
from edgecheck.errors import TargetError
from edgecheck.targets.labgrid.waiting import LabPlace, LabResource, Reservation, State

#: labgrid's variable for the coordinator's address, and what its programs take without one.
VARIABLE, _USUAL = "LG_COORDINATOR", f"127.0.0.1:{PORT}"

#: Seconds for the first answer, and for every other one: to acquire a place, the coordinator asks exporters.
_CONNECT, _ANSWER = 10.0, 30.0

#: As labgrid's client sets them, so that a coordinator that is gone is noticed.
_CHANNEL = (
    ("grpc.keepalive_time_ms", 7500),
    ("grpc.keepalive_timeout_ms", 10000),
    ("grpc.http2.ping_timeout_ms", 10000),
    ("grpc.http2.max_pings_without_data", 0),
)


#: What a request ends with where no coordinator is, or none any more.
_NOT_THERE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class RefusedError(TargetError):
    """The coordinator did not do what it was asked."""


def configured(address: str) -> str:
    """The coordinator's address: the one that is given, else labgrid's own."""
    return address or os.environ.get(VARIABLE) or _USUAL


def owner() -> str:
    """How labgrid calls the one who asks, `host/user`: as its client does, which can then release the place, too."""
    host = os.environ.get("LG_HOSTNAME") or socket.gethostname()
    return f"{host}/{os.environ.get('LG_USERNAME') or getpass.getuser()}"


@contextmanager
def connected(address: str) -> Iterator[Coordinator]:
    """The coordinator at `HOST[:PORT]`, or at labgrid's own address if that is empty.

    Raises:
        TargetError: it does not answer.
    """
    name = configured(address)
    channel = grpc.insecure_channel(_reached(name), options=_CHANNEL)
    lab = Coordinator(name, channel)
    try:
        lab.begin()
        yield lab
    finally:
        lab.end()
        channel.close()


def _reached(name: str) -> str:
    """The address to connect to: another one if LG_PROXY says that labs are reached through a host."""
    from labgrid.util.proxy import proxymanager

    try:
        return str(proxymanager.get_grpc_address(name, default_port=PORT))
    except Exception as error:
        raise TargetError(
            f"The labgrid coordinator at {name} cannot be reached through {os.environ.get('LG_PROXY')}: {error}.",
            "LG_PROXY is the host that labgrid goes through: check it with ssh.",
        ) from error


class Coordinator:
    """A session with a coordinator.

    Args:
        name: Its address, for messages.
        channel: The connection to it.
    """

    def __init__(self, name: str, channel: Any) -> None:
        self.name = name
        self._channel = channel
        self._stub = stubs.CoordinatorStub(channel)
        self._out: queue.Queue[Any] = queue.Queue()
        self._resources: dict[tuple[str, str, str], Any] = {}
        self._synchronised = threading.Event()
        self._stream: Any = None

    def begin(self) -> None:
        """Say who asks, and learn what exporters have.

        Raises:
            TargetError: no coordinator answers.
        """
        try:
            self.places()  # which fails at once where nothing listens
        except RefusedError as error:
            raise self._away(error.message) from error
        first = messages.ClientInMessage()
        first.startup.version = labgrid_version()
        first.startup.name = owner()
        subscribe = messages.ClientInMessage()
        subscribe.subscribe.all_resources = True
        last = messages.ClientInMessage()
        last.sync.id = 1
        for message in (first, subscribe, last):
            self._out.put(message)
        self._stream = self._stub.ClientStream(iter(self._out.get, None))
        threading.Thread(target=self._hear, name="edgecheck-labgrid", daemon=True).start()
        if not self._synchronised.wait(_CONNECT) or not self._stream.is_active():
            raise self._away("what answers there is not a coordinator of labgrid 25 or newer")

    def end(self) -> None:
        """End the session; places and reservations stay."""
        self._out.put(None)
        if self._stream is not None:
            self._stream.cancel()

    def _hear(self) -> None:
        try:
            for message in self._stream:
                for update in message.updates:
                    self._note(update)
                if message.HasField("sync"):
                    self._synchronised.set()
        except grpc.RpcError:
            pass  # whoever asks next learns it
        finally:
            self._synchronised.set()

    def _note(self, update: Any) -> None:
        kind = update.WhichOneof("kind")
        if kind == "resource":
            self._resources[_path(update.resource.path)] = update.resource
        elif kind == "del_resource":
            self._resources.pop(_path(update.del_resource), None)

    def _away(self, why: str) -> TargetError:
        return TargetError(
            f"The labgrid coordinator at {self.name} cannot be reached: {why}.",
            f"Check its address (labgrid://HOST:PORT/…, or {VARIABLE}), and that it runs: "
            f"labgrid-client -x {self.name} places",
        )

    def _ask(self, method: str, request: Any) -> Any:
        """The answer to a request.

        Raises:
            RefusedError: the coordinator says no.
            TargetError: it does not answer any more.
        """
        try:
            return getattr(self._stub, method)(request, timeout=_ANSWER)
        except grpc.RpcError as error:
            if error.code() in _NOT_THERE:
                raise self._away(clean(error.details() or "it does not answer").rstrip(".")) from error
            raise RefusedError(clean(error.details() or error.code().name)) from error

    def places(self) -> tuple[LabPlace, ...]:
        """All places, in the order of their names; raises as `_ask`."""
        answer = self._ask("GetPlaces", messages.GetPlacesRequest())
        return tuple(sorted(map(self._place, answer.places), key=lambda place: place.name))

    def _place(self, message: Any) -> LabPlace:
        place = common.Place.from_pb2(message)
        there = dict(self._resources)  # the stream's thread changes it
        return LabPlace(
            name=place.name,
            tags=dict(place.tags),
            owner=place.acquired or "",
            since=place.changed,
            reservation=place.reservation or "",
            matches=tuple(map(str, place.matches)),
            resources=tuple(
                _resource(resource)
                for (exporter, group, name), resource in sorted(there.items(), key=lambda item: item[0])
                if place.hasmatch((exporter, group, resource.cls, name))
            ),
        )

    def reservations(self) -> tuple[Reservation, ...]:
        """All reservations; raises as `_ask`."""
        answer = self._ask("GetReservations", messages.GetReservationsRequest())
        return tuple(map(_reservation, answer.reservations))

    def reserve(self, wanted: Mapping[str, str]) -> Reservation:
        """A new reservation; raises as `_ask`."""
        filters = {"main": messages.Reservation.Filter(filter=dict(wanted))}
        request = messages.CreateReservationRequest(filters=filters, prio=0.0)
        return _reservation(self._ask("CreateReservation", request).reservation)

    def poll(self, token: str) -> Reservation:
        """A reservation as it is now, which keeps it alive for another minute; raises as `_ask`."""
        return _reservation(self._ask("PollReservation", messages.PollReservationRequest(token=token)).reservation)

    def cancel(self, token: str) -> None:
        """Cancel a reservation; raises as `_ask`."""
        self._ask("CancelReservation", messages.CancelReservationRequest(token=token))

    def acquire(self, place: str) -> None:
        """Acquire a place; raises as `_ask`."""
        self._ask("AcquirePlace", messages.AcquirePlaceRequest(placename=place))

    def release(self, place: str) -> None:
        """Release a place if it is still ours; raises as `_ask`."""
        self._ask("ReleasePlace", messages.ReleasePlaceRequest(placename=place, fromuser=owner()))


def _path(path: Any) -> tuple[str, str, str]:
    return path.exporter_name, path.group_name, path.resource_name


def _resource(message: Any) -> LabResource:
    entry = common.ResourceEntry(common.ResourceEntry.data_from_pb2(message))
    needed = entry.extra.get("proxy_required")
    return LabResource(
        kind=entry.cls,
        available=bool(entry.avail),
        facts=dict(entry.args),
        proxy=os.environ.get("LG_PROXY") or (str(entry.extra.get("proxy", "")) if needed else ""),
    )


def _reservation(message: Any) -> Reservation:
    found = common.Reservation.from_pb2(message)
    return Reservation(
        token=found.token,
        owner=found.owner,
        state=State(found.state.value),
        wanted=dict(found.filters.get("main", {})),
        place=next((name for names in found.allocations.values() for name in names), ""),
        priority=found.prio,
        created=found.created,
    )
