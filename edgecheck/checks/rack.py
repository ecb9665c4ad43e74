"""A rack of boards behind the interface of `concurrent.futures`: a queue for each device, a worker for each address.

What is submitted to a device's queue is done by whichever of its boards is free. A board that is lost hands its item to
the next one and gets no other.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from edgecheck.checks.boards import Place, Seat
from edgecheck.core.report import LostBoard
from edgecheck.errors import BoardLostError
from edgecheck.interrupts import Stop, stoppable

Item = TypeVar("Item")

#: An item that was lost with this many boards while it ran is not handed on: it may be what takes them down.
MOST_LOST = 3

#: Does what no board is left for.
_NOWHERE = ""


def _unchanged(item: Item, _seat: Seat) -> Item:
    return item


def _unheard(_lost: LostBoard) -> None:
    """Report nothing."""


@dataclass(slots=True)
class _Task:
    work: Callable[[Any], Any]
    item: Any
    future: Future[Any]
    lost: list[LostBoard] = field(default_factory=list)
    midway: int = 0
    """How many of them were lost while it ran."""


@dataclass(slots=True)
class _Batch:
    """The items of a group that are not done: one board does them, one after the other."""

    number: int
    place: Place
    tasks: deque[_Task]
    board: str = ""
    """The one that does them, or did the last."""
    moved_from: str = ""
    has_done: bool = False
    """Whether some of its items are done already."""
    is_over: bool = False

    def __lt__(self, other: _Batch) -> bool:
        return self.number < other.number


class AnyRack(Protocol):
    """Boards that share work, here or on other hosts; a context manager, which waits for what was submitted."""

    @property
    def stop(self) -> Stop:
        """Asks its threads to end."""

    @property
    def is_running(self) -> bool:
        """Whether a thread has not ended."""

    def __enter__(self) -> AnyRack: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def queue(self, place: Place) -> Executor:
        """An executor that runs what is submitted to it at `place`."""

    def close(self) -> None:
        """Take nothing more."""

    def cancel(self) -> None:
        """Start nothing more, and end what runs."""


class Rack(Generic[Item]):
    """Boards that share work; a context manager, which waits for everything that was submitted.

    Args:
        widths: How many items each board takes at once.
        seated: Called with an item and its seat before it runs; returns the item to run.
        when_lost: Called with each board that is lost.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        seated: Callable[[Item, Seat], Item] = _unchanged,
        when_lost: Callable[[LostBoard], None] = _unheard,
    ) -> None:
        self._widths = {**widths, _NOWHERE: 1}
        self._seated = seated
        self._when_lost = when_lost
        self._lock = threading.RLock()
        self._calls = {board: threading.Condition(self._lock) for board in self._widths}
        self._idle = dict.fromkeys(self._widths, 0)
        self._shared: dict[tuple[str, ...], list[_Batch]] = {}
        self._queues: dict[str, list[list[_Batch]]] = {board: [] for board in self._widths}
        self._own: dict[str, list[_Batch]] = {board: [] for board in self._widths}
        self._groups: dict[tuple[tuple[str, ...], Hashable], _Batch] = {}
        self._reasons: dict[str, LostBoard] = {}
        self._threads: list[threading.Thread] = []
        self._started: set[str] = set()
        self._count = 0
        self._left = 0
        self._closed = False
        self._stop = Stop()

    def __enter__(self) -> Rack[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if not self.stop.is_set:
            for thread in [*self._threads]:
                thread.join()
        if not self.is_running:
            self.stop.close()

    @property
    def stop(self) -> Stop:
        """See `AnyRack`."""
        return self._stop

    def queue(self, place: Place) -> Queue[Item]:
        """An executor that runs what is submitted to it at `place`."""
        return Queue(self, place)

    def close(self) -> None:
        """Take nothing more; boards end when everything is done."""
        with self._lock:
            self._closed = True
            self._call_all()

    def cancel(self) -> None:
        """Start nothing more, cancel what has not begun, and ask the threads to end."""
        with self._lock:
            self._closed = True
            self.stop.set()
            batches = [*self._groups.values(), *(each for heap in self._heaps() for each in heap)]
            for batch in batches:
                while batch.tasks:
                    batch.tasks.popleft().future.cancel()
            self._call_all()

    @property
    def is_running(self) -> bool:
        """Whether a thread has not ended."""
        return any(thread.is_alive() for thread in self._threads)

    def submit(self, place: Place, work: Callable[[Item], Any], item: Item) -> Future[Any]:
        """Have a board do `work` with `item`; see `Queue.submit`."""
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the rack is closed")
            self._left += 1
            task = _Task(work, item, future)
            batch = self._batch_of(place)
            batch.tasks.append(task)
            if len(batch.tasks) == 1 and not batch.board:
                self._offer(batch)
        return future

    def _batch_of(self, place: Place) -> _Batch:
        """The group's batch, or a new one."""
        key = (place.boards, place.group)
        before = self._groups.get(key) if place.group is not None else None
        if before is not None and not before.is_over:
            return before
        self._count += 1
        batch = _Batch(self._count, place, deque())
        if before is not None:  # its board has done others of the group
            batch.place, batch.has_done = Place(place.boards, place.group, before.board), True
        if place.group is not None:
            self._groups[key] = batch
        return batch

    def _offer(self, batch: _Batch) -> None:
        """Put a batch where a board finds it, and wake one that is idle."""
        alive = [board for board in batch.place.boards if board not in self._reasons]
        if not alive:
            alive = [_NOWHERE]
        if batch.place.preferred in alive or alive == [_NOWHERE]:
            alive = [batch.place.preferred if batch.place.preferred in alive else _NOWHERE]
            heapq.heappush(self._own[alive[0]], batch)
        else:
            heapq.heappush(self._shared_queue(batch.place.boards), batch)
        for board in alive:
            self._start(board)
        waiting = next((board for board in alive if self._idle[board]), None)
        if waiting is not None:
            self._idle[waiting] -= 1
            self._calls[waiting].notify()

    def _shared_queue(self, boards: tuple[str, ...]) -> list[_Batch]:
        if boards not in self._shared:
            self._shared[boards] = []
            for board in boards:
                self._queues[board].append(self._shared[boards])
        return self._shared[boards]

    def _start(self, board: str) -> None:
        if board in self._started:
            return
        if not self._started:
            _share_arenas()
        self._started.add(board)
        for _ in range(self._widths[board]):
            thread = threading.Thread(target=self._serve, args=(board,), name=f"edgecheck {board}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, board: str) -> None:
        """Do what is in the queues of a board until it is lost or nothing is left."""
        with stoppable(self.stop):
            while (batch := self._taken(board)) is not None:
                self._do(batch, board)

    def _taken(self, board: str) -> _Batch | None:
        """The next batch for a board; None when there will be no more."""
        with self._lock:
            while not self.stop.is_set and board not in self._reasons:
                heaps = [heap for heap in (self._own[board], *self._queues[board]) if heap]
                if heaps:
                    batch = heapq.heappop(min(heaps, key=lambda heap: heap[0].number))
                    batch.board = board
                    return batch
                if self._closed and not self._left:
                    return None
                self._idle[board] += 1
                self._calls[board].wait()
        return None

    def _do(self, batch: _Batch, board: str) -> None:
        while (task := self._next(batch)) is not None:
            try:
                result = task.work(self._seated(task.item, self._seat(batch, task, board)))
            except BoardLostError as error:
                self._lose(board, error, batch, task)
                return
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                self._done(batch)
                task.future.set_exception(error)
            else:
                self._done(batch)
                task.future.set_result(result)

    def _next(self, batch: _Batch) -> _Task | None:
        with self._lock:
            while batch.tasks and not self.stop.is_set:
                task = batch.tasks.popleft()
                if task.future.running() or task.future.set_running_or_notify_cancel():
                    return task
                self._done(batch)
            batch.is_over = True
            return None

    def _seat(self, batch: _Batch, task: _Task, board: str) -> Seat:
        if board != _NOWHERE:
            return Seat(board, tuple(task.lost), batch.moved_from)
        with self._lock:
            every = [self._reasons[each] for each in batch.place.boards if each in self._reasons]
        return Seat(_NOWHERE, tuple(task.lost if task.midway >= MOST_LOST else every))

    def _done(self, batch: _Batch) -> None:
        with self._lock:
            batch.has_done = True
            self._left -= 1
            if self._closed and not self._left:
                self._call_all()

    def _lose(self, board: str, error: BoardLostError, batch: _Batch, task: _Task) -> None:
        """Leave a board out, and hand on what it had."""
        lost = LostBoard(board, error.message)
        with self._lock:
            self._reasons.setdefault(board, lost)
            task.lost.append(lost)
            task.midway += error.midway
            if self.stop.is_set:
                task.future.set_exception(error)
                return
            if task.midway >= MOST_LOST:
                self._count += 1
                heapq.heappush(self._own[_NOWHERE], _Batch(self._count, batch.place, deque([task]), _NOWHERE))
                self._start(_NOWHERE)
                self._calls[_NOWHERE].notify_all()
            else:
                batch.tasks.appendleft(task)
            for each in (batch, *self._own[board]):
                each.moved_from = board if each.has_done else each.moved_from
                each.board = ""
                if each.tasks:
                    self._offer(each)
                else:
                    each.is_over = True
            self._own[board].clear()
            self._give_up_queues()
            self._calls[board].notify_all()  # threads of its that wait have nothing to wait for
        self._when_lost(lost)

    def _give_up_queues(self) -> None:
        """Move what no board is left for to where it is given up."""
        for boards, heap in self._shared.items():
            if heap and all(board in self._reasons for board in boards):
                batches = [*heap]
                heap.clear()
                for batch in batches:
                    self._offer(batch)

    def _heaps(self) -> list[list[_Batch]]:
        return [*self._own.values(), *self._shared.values()]

    def _call_all(self) -> None:
        for board, call in self._calls.items():
            self._idle[board] = 0
            call.notify_all()


def _share_arenas() -> None:
    """Have the threads of a rack share memory that was freed.

    glibc gives each of them an arena, which keeps what it once had: 30 MB for 50 boards (mallopt(3), M_ARENA_MAX).
    """
    import ctypes

    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(-8, 2)


class Queue(Executor, Generic[Item]):
    """The queue of a device, or of what must stay together on one of its boards: an executor of a rack."""

    def __init__(self, rack: Rack[Item], place: Place) -> None:
        self._rack = rack
        self._place = place

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have the next free board do `fn(item)`, where `item` is the only argument; see `Executor.submit`.

        `fn` raises `BoardLostError` where the board cannot be used any more: the next one does it again.
        """
        (item,) = args
        assert not kwargs  # noqa: S101 - the item says everything
        return self._rack.submit(self._place, fn, item)
