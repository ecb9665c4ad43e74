"""The story: convert, run, measure, judge; results come one by one."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgecheck.anatomy.formats import identify
from edgecheck.checks import check as check_module
from edgecheck.checks.check import Check
from edgecheck.targets import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from edgecheck.converters.interface import ConversionSettings
    from edgecheck.core.budget import Budget, Variant
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.fitting import Fit
    from edgecheck.core.limits import Limit
    from edgecheck.core.report import CheckResult, Tiles

# RF-SECTION side_by_side: Runs things side by side in lanes, and gives their results in the order in which they
# were asked for.

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


__all__ = ["Addresses", "Check", "fit", "perform", "plan", "plan_fit"]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where devices are."""

    by_device: Mapping[str, str]
    default: str = ""
    """For every device that has none of its own; empty: the best that can be had."""

    def of(self, profile: DeviceProfile, limits: tuple[Limit, ...]) -> str:
        """The target for `profile`; empty where every limit is read from files."""
        named = self.by_device.get(profile.id) or self.default
        if named:
            return named
        return "" if not any(limit.metric.needs_device for limit in limits) else nearest(profile)


def plan(budgets: Iterable[Budget], addresses: Addresses) -> tuple[Check, ...]:
    """Every check of `budgets`, in their order; where the variant is `auto`, one for each device.

    Raises:
        ModelError: a model is missing or is none.
    """
    return tuple(
        _with_candidates(Check(budget, variant, profile, limits, source, addresses.of(profile, limits)))
        for budget in budgets
        for source in [identify(Path(budget.model.path)).value]
        for variant in budget.variants or (_auto(),)
        for profile, limits in budget.devices
    )


def plan_fit(budgets: Sequence[Budget], addresses: Addresses, only: Sequence[Variant] = ()) -> tuple[Check, ...]:
    """For each device of `budgets` one check with the variants to choose from.

    They are all that the model can be converted to and the budget's own, or `only` those.

    Raises:
        ModelError: a model is missing, damaged or none.
    """
    free = plan((replace(budget, variants=()) for budget in budgets), addresses)
    own = {budget.path: budget.variants for budget in budgets}
    return tuple(
        replace(
            check, candidates=tuple(only) or tuple(dict.fromkeys((*check.candidates, *own.get(check.budget.path, ()))))
        )
        for check in free
    )


def _auto() -> Variant:
    from edgecheck.checks.auto import AUTO

    return AUTO


def _with_candidates(check: Check) -> Check:
    if check.budget.variants:
        return check
    from edgecheck.checks.auto import candidates  # what chooses is not paid for by who names the variants

    return replace(check, candidates=candidates(check))


def perform(
    checks: Sequence[Check], workshop: ConversionSettings, tell: Callable[[str], None], *, machines: int = 1
) -> Iterator[CheckResult]:
    """Convert, run, measure and judge each check, in their order; one that cannot be done does not stop the others.

    Boards run side by side, one check at a time on each, and up to `machines` emulated ones; what is measured on this
    machine has it for itself.
    """

    def run(check: Check) -> CheckResult:
        started = time.monotonic()
        result = _perform(check, workshop, tell)
        return replace(result, seconds=time.monotonic() - started, tiles=_tiles(result))

    return in_order(checks, run, _lane, _lanes(checks, machines))


def _tiles(result: CheckResult) -> Tiles | None:
    if result.artifact is None:
        return None
    from edgecheck.reports.size.treemap import tiles_of

    return tiles_of(Path(result.artifact.path))


def _perform(check: Check, workshop: ConversionSettings, tell: Callable[[str], None]) -> CheckResult:
    if check.candidates:
        from edgecheck.checks.auto import choose

        return choose(check, workshop, tell)
    return check_module.run(check_module.prepare(check, workshop, tell), tell)


def fit(
    checks: Sequence[Check],
    workshop: ConversionSettings,
    tell: Callable[[str], None],
    *,
    machines: int = 1,
    every: bool = False,
) -> Iterator[Fit]:
    """For each check with candidates which of them fits; `every` looks at and runs all of them. See `perform`."""
    from edgecheck.checks.auto import tried

    def run(check: Check) -> Fit:
        return tried(check, workshop, tell, every=every).fit

    return in_order(checks, run, _lane, _lanes(checks, machines))


def _lane(check: Check) -> str:
    return check.target


def _lanes(checks: Sequence[Check], machines: int) -> dict[str, int]:
    boards = {check.target: 1 for check in checks if check.target not in ("", "local")}
    return boards | {"qemu": machines}
