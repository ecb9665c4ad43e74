"""All planned checks, each on its board: results come one by one, in order, while devices work side by side."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgecheck.checks.boards import Boards, Place, Seat
from edgecheck.checks.check import Check, check_variant
from edgecheck.checks.steps import Steps
from edgecheck.core.address import Sharing
from edgecheck.core.report import CheckResult, Report, Tiles, Tried
from edgecheck.interrupts import held

if TYPE_CHECKING:
    from concurrent.futures import Future

    import psutil

    from edgecheck.checks.rack import AnyRack, Rack
    from edgecheck.checks.steps import OnStep
    from edgecheck.converters.interface import ConversionSettings
    from edgecheck.core.fitting import Fit


def perform(
    checks: Sequence[Check],
    settings: ConversionSettings,
    progress: Callable[[str], None],
    *,
    machines: int = 1,
    on_step: OnStep | None = None,
) -> Iterator[CheckResult]:
    """The result of each check, in order; a check that cannot be done does not stop the others.

    Boards run side by side, one check at a time on each, and so do up to `machines` emulated ones. What is measured on
    this machine runs alone. A device with several boards has its checks done by whichever is free.

    Args:
        checks: What to do.
        settings: Where conversions are cached, and their deadline.
        progress: Called with a few words about each step.
        machines: The most emulated machines at the same time.
        on_step: Called with each step on a device with several boards, instead of `progress`.
    """
    steps = Steps(checks, progress, on_step)
    return in_order(checks, _doing(settings, steps), _lane, _lanes(checks, machines), _first, _on_boards(steps))


def perform_elsewhere(
    checks: Sequence[Check],
    settings: ConversionSettings,
    progress: Callable[[str], None],
    made: Callable[[Callable[[Check], CheckResult]], AnyRack],
) -> Iterator[CheckResult]:
    """As `perform`; what needs a device is done by a rack on other hosts, and everything else here, after that.

    Args:
        checks: What to do.
        settings: Where conversions are cached, and their deadline.
        progress: Called with a few words about each step.
        made: Makes the rack, from what does a check here.
    """
    run = _doing(settings, Steps(checks, progress, None))
    yield from in_order(checks, run, _elsewhere, {}, _first, lambda _widths: made(run))


def _elsewhere(check: Check) -> str | Place:
    return "" if check.target is None else Place(("elsewhere",), _together(check))


def _doing(settings: ConversionSettings, steps: Steps) -> Callable[[Check], CheckResult]:
    """What does a check."""

    def run(check: Check) -> CheckResult:
        started = time.monotonic()
        tried: tuple[Tried, ...] = ()
        with steps.of(check) as show:
            if check.candidates:
                from edgecheck.checks.auto import choose

                result, tried = choose(check, settings, show)
            else:
                result = check_variant(check, settings, show)
            return replace(result, tried=tried, tiles=_tiles(result), seconds=time.monotonic() - started)

    return run


def fit(
    checks: Sequence[Check],
    settings: ConversionSettings,
    progress: Callable[[str], None],
    *,
    machines: int = 1,
    every: bool = False,
) -> Iterator[Fit]:
    """For each check with candidates, which of them fits; with `every`, all of them are tried. See `perform`.

    All candidates of a check run on one board: where it is lost, another one begins again with the first.
    """
    from edgecheck.checks.auto import search

    steps = Steps(checks, progress, None)

    def run(check: Check) -> Fit:
        with steps.of(check) as show:
            return search(check, settings, show, every=every).fit

    return in_order(checks, run, _lane, _lanes(checks, machines), _first, _on_boards(steps))


def _on_boards(steps: Steps) -> Callable[[Mapping[str, int]], Rack[Check]]:
    def made(widths: Mapping[str, int]) -> Rack[Check]:
        from edgecheck.checks.rack import Rack  # a check that is alone starts without it

        return Rack(widths, seated, steps.lost)

    return made


def _first(checks: Sequence[Check]) -> list[int]:
    """The order in which to start checks that run side by side: the longest first.

    That is by the time for which they ask, then by the size of the model; checks that stay on one board count together.
    Those whose run another one will have done by then, on a device with the same core, come last.
    """
    seen: set[tuple[object, ...]] = set()
    again: dict[int, bool] = {}
    for number, check in enumerate(checks):
        same = (check.budget.model.path, check.variant, check.profile.emulation_cpu, str(check.target))
        again[number] = check.target is not None and check.target.kind.emulated and same in seen
        seen.add(same)
    sizes: dict[Path, int] = {}
    lengths = [_length(check, sizes) for check in checks]
    together: dict[object, list[int]] = {}
    for number, check in enumerate(checks):
        together.setdefault(_group(check) or number, []).append(number)
    sums = {
        number: (sum(lengths[each][0] for each in group), sum(lengths[each][1] for each in group), -group[0])
        for group in together.values()
        for number in group
    }
    return sorted(
        range(len(checks)),
        key=lambda number: (again[number], *(-figure for figure in sums[number]), number),
    )


def _length(check: Check, sizes: dict[Path, int]) -> tuple[float, int]:
    """Seconds for which the check asks, and bytes of its model, for each of its candidates."""
    path = Path(check.budget.model.path)
    if path not in sizes:
        sizes[path] = _size(path)
    times = max(1, len(check.candidates))
    return times * (check.budget.effort.sustained or 0.0), times * sizes[path]


def _size(path: Path) -> int:
    """Bytes; of a folder those of its files, and 0 for anything else."""
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else (path,)))
    return 0


def _tiles(result: CheckResult) -> Tiles | None:
    if result.artifact is None:
        return None
    return _tiles_of(Path(result.artifact.path), result.artifact.sha256)


@lru_cache(maxsize=64)
def _tiles_of(path: Path, _sha256: str) -> Tiles | None:
    """Where the bytes of a file are, once for all checks of it, which share the value."""
    from edgecheck.anatomy.tiles import tiles_of

    return tiles_of(path)


def _lane(check: Check) -> str | Place:
    boards = check.boards
    if not boards.addresses:
        return str(check.target or "")
    return Place(tuple(map(str, boards.addresses)), _group(check), boards.preferred)


def _group(check: Check) -> object:
    """What the variants of one model on one device share, which are compared with each other."""
    return _together(check) if check.boards.addresses else None


def _together(check: Check) -> object:
    return check.budget.path, str(check.budget.model.path), check.profile.id


def _lanes(checks: Sequence[Check], machines: int) -> dict[str, int]:
    widths = {Sharing.ONE: 1, Sharing.SEVERAL: machines}
    targets = {check.target for check in checks if check.target is not None}
    targets |= {board for check in checks for board in check.boards.addresses}
    return {str(target): widths[target.kind.sharing] for target in targets if target.kind.sharing in widths}


Item = TypeVar("Item")
Result = TypeVar("Result")

#: Seconds between two attempts to end what still runs after an interruption.
_PAUSE = 0.1

#: Seconds after an interruption for boards to clean up, and for everything else to end when it was killed.
_IN_ORDER, _KILLED = 4.0, 1.0


def in_order(  # noqa: PLR0913, PLR0917 - what differs between checks and anything else is a function
    items: Sequence[Item],
    run: Callable[[Item], Result],
    lane_of: Callable[[Item], str | Place],
    widths: Mapping[str, int],
    first: Callable[[Sequence[Item]], Sequence[int]] = lambda items: range(len(items)),
    made: Callable[[Mapping[str, int]], AnyRack] | None = None,
) -> Iterator[Result]:
    """The results of `run` over `items`, in order, each as soon as it and all before it are done.

    Args:
        items: What to run.
        run: Called for each item; in a thread where the item's lane has a width.
        lane_of: The lane of an item; a place where one of several lanes takes it.
        widths: How many items of a lane may run at the same time. An item in any other lane runs alone: after all
            items that have a lane, one by one, in the calling thread.
        first: The positions of the items, in the order in which to start them.
        made: Makes the rack of which the lanes are the boards; None: one that gives items to their boards as they are.

    Leaving early, by an interruption or otherwise, ends every child process, so that the threads end too.
    """
    lanes = {lane_of(item) for item in items}
    if all(isinstance(lane, str) for lane in lanes) and (
        not lanes & set(widths) or (len(lanes) == 1 and all(widths[str(lane)] == 1 for lane in lanes))
    ):
        yield from map(run, items)  # nothing runs side by side; in this thread, Ctrl-C interrupts the item itself
        return
    from edgecheck.checks.rack import Rack

    with (made or Rack)(widths) as rack:
        started: dict[int, Future[Any]] = {}
        try:
            for at in first(items):
                place = _place(lane_of(items[at]), widths)
                if place is not None:
                    started[at] = rack.queue(place).submit(run, items[at])
            rack.close()
            for at, item in enumerate(items):
                future = started.pop(at, None)  # a result that was taken is not kept
                yield future.result() if future is not None else _alone(item, run, started.values())
        except BaseException:
            _end(rack)
            raise


def _place(lane: str | Place, widths: Mapping[str, int]) -> Place | None:
    """Where a rack does what is in a lane; None where it runs alone."""
    if isinstance(lane, Place):
        return lane
    return Place((lane,)) if lane in widths else None


def _end(rack: AnyRack) -> None:
    """End everything within a few seconds: boards are asked to clean up, other child processes are ended at once."""
    with held():  # which is short: an impatient second Ctrl-C must not leave anything behind
        rack.cancel()
        began = time.monotonic()
        while rack.is_running and (passed := time.monotonic() - began) < _IN_ORDER + _KILLED:
            # Repeatedly: a thread may have been about to start another one.
            _end_children(set() if passed >= _IN_ORDER else rack.stop.ended_in_order)
            time.sleep(_PAUSE)


def _alone(item: Item, run: Callable[[Item], Result], futures: Iterable[Future[Any]]) -> Result:
    """Run once everything else is done: what is timed on this machine must not share it."""
    for future in [*futures]:
        future.exception()  # waits; the error is raised where that item's result is due
    return run(item)


def _end_children(spared: Collection[int]) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children():
            if child.pid not in spared:
                _end_with_children(child)


def _end_with_children(process: psutil.Process) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.Error):
                each.terminate()


def seated(check: Check, seat: Seat) -> Check:
    """The check on the board that takes it; where none is left, one that says why it cannot run."""
    boards = replace(check.boards, lost=seat.lost, moved_from=seat.moved_from, is_without=not seat.board)
    target = next((each for each in boards.addresses if str(each) == seat.board), check.target)
    return replace(check, target=target, boards=boards)


def on_every_board(checks: Iterable[Check]) -> tuple[Check, ...]:
    """For each check of a device that has several boards, one on each of them; the others as they are."""
    return tuple(
        each
        for check in checks
        for each in (
            (replace(check, target=board, boards=Boards(addresses=(board,))) for board in check.boards.addresses)
            if check.boards.addresses
            else (check,)
        )
    )


def with_preferred(checks: Iterable[Check], baseline: Report) -> tuple[Check, ...]:
    """The checks, each on the board that measured it in the baseline, where that is still one of the device's."""
    measured: dict[tuple[str, ...], str] = {}
    for result in baseline.results:
        name = "" if result.tried else str(result.variant)
        where = (result.budget.path, result.budget.model.path.name, result.profile.id, name)
        measured[where] = result.target
    return tuple(_preferring(check, measured) for check in checks)


def _preferring(check: Check, measured: dict[tuple[str, ...], str]) -> Check:
    if not check.boards.addresses:
        return check
    name = "" if check.candidates else str(check.variant)
    where = (check.budget.path, check.budget.model.path.name, check.profile.id, name)
    board = measured.get(where, "")
    known = board in map(str, check.boards.addresses)
    return replace(check, boards=replace(check.boards, preferred=board)) if known else check
