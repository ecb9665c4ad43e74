"""Runs things side by side in lanes, and gives their results in the order in which they were asked for."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

#: Seconds between two looks at what still runs after an interruption.
_PAUSE = 0.1

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    items: Sequence[Item],
    run: Callable[[Item], Result],
    lane_of: Callable[[Item], str],
    widths: Mapping[str, int],
) -> Iterator[Result]:
    """The results of `run` over `items`, in their order, each as soon as it and all before it are there.

    Args:
        items: What to do.
        run: Does it; in a thread of its own where the item's lane has a width.
        lane_of: The lane of an item.
        widths: How many of a lane may run at once. An item in any other lane runs alone: after all that have a lane,
            one by one, in the calling thread.

    Leaving early, by an interruption or otherwise, ends every child process, so that the threads come to their ends.
    """
    lanes = {lane_of(item) for item in items}
    if not lanes & set(widths) or (len(lanes) == 1 and all(widths[lane] == 1 for lane in lanes)):
        yield from map(run, items)  # nothing is side by side: no thread, so that an interruption reaches what runs
        return
    from concurrent.futures import ThreadPoolExecutor, wait

    gates = {lane: threading.Semaphore(width) for lane, width in widths.items()}
    stopped = threading.Event()

    def in_lane(item: Item) -> Result:
        with gates[lane_of(item)]:
            if stopped.is_set():
                raise InterruptedError
            return run(item)

    with ThreadPoolExecutor(max_workers=len(items)) as pool:
        futures = [pool.submit(in_lane, item) if lane_of(item) in widths else None for item in items]
        try:
            for item, future in zip(items, futures, strict=True):
                yield future.result() if future is not None else _alone(item, run, futures)
        except BaseException:
            stopped.set()
            running = [future for future in futures if future is not None]
            while wait(running, _PAUSE).not_done:
                _end_children()  # again and again: a thread may have been about to start one more
            raise


def _alone(item: Item, run: Callable[[Item], Result], futures: Sequence[Future[Result] | None]) -> Result:
    """Run when nothing else does: what is timed on this machine must have it for itself."""
    for future in futures:
        if future is not None:
            future.exception()  # waits; an error is raised where its own result is due
    return run(item)


def _end_children() -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.terminate()
