"""All planned checks: results come one by one, in order, while devices work side by side."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgecheck.checks.check import Check, check_variant
from edgecheck.core.address import Sharing
from edgecheck.core.report import CheckResult, Tiles, Tried

if TYPE_CHECKING:
    from concurrent.futures import Future

    from edgecheck.converters.interface import ConversionSettings
    from edgecheck.core.fitting import Fit


def perform(
    checks: Sequence[Check], settings: ConversionSettings, progress: Callable[[str], None], *, machines: int = 1
) -> Iterator[CheckResult]:
    """The result of each check, in order; a check that cannot be done does not stop the others.

    Boards run side by side, one check at a time on each, and so do up to `machines` emulated ones. What is measured on
    this machine runs alone.
    """

    def run(check: Check) -> CheckResult:
        started = time.monotonic()
        tried: tuple[Tried, ...] = ()
        if check.candidates:
            from edgecheck.checks.auto import choose

            result, tried = choose(check, settings, progress)
        else:
            result = check_variant(check, settings, progress)
        return replace(result, tried=tried, tiles=_tiles(result), seconds=time.monotonic() - started)

    return in_order(checks, run, _lane, _lanes(checks, machines), _first)


def fit(
    checks: Sequence[Check],
    settings: ConversionSettings,
    progress: Callable[[str], None],
    *,
    machines: int = 1,
    every: bool = False,
) -> Iterator[Fit]:
    """For each check with candidates, which of them fits; with `every`, all of them are tried. See `perform`."""
    from edgecheck.checks.auto import search

    def run(check: Check) -> Fit:
        return search(check, settings, progress, every=every).fit

    return in_order(checks, run, _lane, _lanes(checks, machines), _first)


def _first(checks: Sequence[Check]) -> list[int]:
    """The order in which to start checks that run side by side: the longest first, by the size of the model.

    Those whose run another one will have done by then, on a device with the same core, come last.
    """
    seen: set[tuple[object, ...]] = set()
    again: dict[int, bool] = {}
    for number, check in enumerate(checks):
        same = (check.budget.model.path, check.variant, check.profile.emulation_cpu, str(check.target))
        again[number] = check.target is not None and check.target.kind.emulated and same in seen
        seen.add(same)
    sizes = [_size(Path(check.budget.model.path)) for check in checks]
    return sorted(range(len(checks)), key=lambda number: (again[number], -sizes[number], number))


def _size(path: Path) -> int:
    """Bytes; of a folder those of its files, and 0 for anything else."""
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else (path,)))
    return 0


def _tiles(result: CheckResult) -> Tiles | None:
    if result.artifact is None:
        return None
    from edgecheck.anatomy.tiles import tiles_of

    return tiles_of(Path(result.artifact.path))


def _lane(check: Check) -> str:
    return str(check.target or "")


def _lanes(checks: Sequence[Check], machines: int) -> dict[str, int]:
    widths = {Sharing.ONE: 1, Sharing.SEVERAL: machines}
    targets = {check.target for check in checks if check.target is not None}
    return {str(target): widths[target.kind.sharing] for target in targets if target.kind.sharing in widths}


Item = TypeVar("Item")
Result = TypeVar("Result")

#: Seconds between two attempts to end what still runs after an interruption.
_PAUSE = 0.1


def in_order(
    items: Sequence[Item],
    run: Callable[[Item], Result],
    lane_of: Callable[[Item], str],
    widths: Mapping[str, int],
    first: Callable[[Sequence[Item]], Sequence[int]] = lambda items: range(len(items)),
) -> Iterator[Result]:
    """The results of `run` over `items`, in order, each as soon as it and all before it are done.

    Args:
        items: What to run.
        run: Called for each item; in a thread where the item's lane has a width.
        lane_of: The lane of an item.
        widths: How many items of a lane may run at the same time. An item in any other lane runs alone: after all
            items that have a lane, one by one, in the calling thread.
        first: The positions of the items, in the order in which to start them.

    Leaving early, by an interruption or otherwise, ends every child process, so that the threads end too.
    """
    lanes = {lane_of(item) for item in items}
    if not lanes & set(widths) or (len(lanes) == 1 and all(widths[lane] == 1 for lane in lanes)):
        yield from map(run, items)  # nothing runs side by side; in this thread, Ctrl-C interrupts the item itself
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
        started = {at: pool.submit(in_lane, items[at]) for at in first(items) if lane_of(items[at]) in widths}
        futures = [started.get(at) for at in range(len(items))]
        try:
            for item, future in zip(items, futures, strict=True):
                yield future.result() if future is not None else _alone(item, run, futures)
        except BaseException:
            stopped.set()
            running = [future for future in futures if future is not None]
            while wait(running, _PAUSE).not_done:
                _end_children()  # repeatedly: a thread may have been about to start another one
            raise


def _alone(item: Item, run: Callable[[Item], Result], futures: Sequence[Future[Result] | None]) -> Result:
    """Run once everything else is done: what is timed on this machine must not share it."""
    for future in futures:
        if future is not None:
            future.exception()  # waits; the error is raised where that item's result is due
    return run(item)


def _end_children() -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.terminate()
