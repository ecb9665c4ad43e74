"""One invocation, from the request to the report as it grows: the same for the command line and the library."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from edgecheck.checks.check import Check
from edgecheck.checks.perform import on_every_board, perform, with_preferred
from edgecheck.checks.plan import Selection, Shard, addresses, plan, select
from edgecheck.config import Project
from edgecheck.config.repository import commit_and_branch, folder_in_repository
from edgecheck.converters.interface import ConversionSettings
from edgecheck.core.report import CheckResult, Report
from edgecheck.targets import Reuse
from edgecheck.version import VERSION

if TYPE_CHECKING:
    from edgecheck.checks.baseline import Baseline
    from edgecheck.checks.history import History
    from edgecheck.checks.steps import OnStep


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRequest:
    """What to check, where, and against what."""

    selection: Selection
    targets: tuple[str, ...] = ()
    """`ADDRESS` or `DEVICE=ADDRESS`."""
    baseline: Path | None = None
    merge_base: Path | None = None
    machines: int = 1
    """The most emulated machines at the same time."""
    shard: Shard | None = None
    """The part of the checks to do; None: all."""
    history: Path | None = None
    """The file of results over time; None: they are not kept."""
    operators: bool = False
    """Whether every model's operators are profiled, and not only those of a model that fails a limit on time."""
    fresh: bool = False
    """Whether results of earlier invocations are measured again on emulated devices."""
    scheduler: str = ""
    """The address of a Dask scheduler whose workers have the devices; empty: this host has."""
    every_board: bool = False
    """Whether each check runs on every board of its device, and not only on the one that is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """Planned checks, and the report without any result yet."""

    checks: tuple[Check, ...]
    baseline: Baseline | None
    empty: Report
    machines: int
    history: History | None = None
    """What was measured before, where results are kept over time."""
    done: Mapping[str, CheckResult] = field(default_factory=dict)
    """By fingerprint: results of an interrupted invocation, taken instead of doing the check again."""
    scheduler: str = ""
    """See `InvocationRequest`."""

    def reports(self, progress: Callable[[str], None], on_step: OnStep | None = None) -> Iterator[Report]:
        """Do the checks; the report after each result, which is its last. See `perform` for the arguments."""
        began = time.monotonic()
        report = self.empty
        with closing(self._results(progress, on_step)) as results:
            for result in results:
                report = replace(report, results=(*report.results, result), seconds=time.monotonic() - began)
                yield report

    def _results(self, progress: Callable[[str], None], on_step: OnStep | None) -> Generator[CheckResult]:
        left = [check for check in self.checks if check.fingerprint not in self.done]
        settings = ConversionSettings(user_cache_path("edgecheck"))
        if self.scheduler:
            from edgecheck.checks.scheduler import perform_on_workers  # few have one

            results = perform_on_workers(left, settings, progress, self.scheduler)
        else:
            results = perform(left, settings, progress, machines=self.machines, on_step=on_step)
        for at, check in enumerate(self.checks, start=1):
            result = self.done.get(check.fingerprint) or self._judged(next(results))
            yield self._with_gone(result) if at == len(self.checks) else result

    def _with_gone(self, result: CheckResult) -> CheckResult:
        """The last result, which also says what the baseline has and no check is of any more."""
        missing = self.baseline.gone if self.baseline is not None else ()
        return replace(result, caveats=tuple(dict.fromkeys((*result.caveats, *missing))))

    def _judged(self, result: CheckResult) -> CheckResult:
        """The result against the baseline and the history."""
        if self.baseline is not None:
            result = self.baseline.judge(result, self.empty.host)
        return self.history.judge(result, self.empty) if self.history is not None else result


def _silent(_words: str) -> None:
    """Report no progress."""


def plan_invocation(
    request: InvocationRequest, project: Project, progress: Callable[[str], None] = _silent
) -> Invocation:
    """Read everything that the request names; nothing runs yet, though a board may be asked who it is.

    Raises:
        UsageError: something that the request names does not exist, or its options do not go together.
    """
    budgets = select(request.selection, project, request.targets, progress)
    baseline = None
    if request.baseline is not None or request.merge_base is not None:
        from edgecheck.checks.baseline import baseline_for_check  # most checks compare nothing

        baseline = baseline_for_check(request.baseline, request.merge_base, budgets, request.selection.on_unknown)
    only_files = request.selection.which.are_open
    checks = plan(budgets, addresses(request.targets, project, budgets, only_files=only_files))
    if baseline is not None:
        from edgecheck.checks.baseline import without_checks

        baseline = without_checks(baseline, checks, request.selection)
        checks = with_preferred(checks, baseline.report)
    if request.shard is not None:
        checks = request.shard.of(checks)
    reuse = Reuse(time.time(), request.fresh)
    checks = tuple(replace(check, reuse=reuse, with_operators=request.operators) for check in checks)
    empty = Report(
        results=(),
        version=VERSION,
        host=this_host(),
        started=now(),
        seconds=0.0,
        shard=str(request.shard or ""),
        folder=folder_in_repository(Path.cwd()),
        boards={
            check.profile.id: tuple(map(str, check.boards.addresses)) for check in checks if check.boards.addresses
        },
    )
    if request.every_board:
        checks = on_every_board(checks)
    history = _history(request.history)
    return Invocation(
        checks=checks,
        baseline=baseline,
        empty=empty,
        machines=request.machines,
        history=history,
        scheduler=request.scheduler,
    )


def _history(path: Path | None) -> History | None:
    if path is None:
        return None
    from edgecheck.checks.history import load_history

    return load_history(path, *commit_and_branch(Path.cwd()))


def this_host() -> str:
    """The machine that a report comes from, as a person knows it."""
    return f"{platform.system()} {platform.machine()} {platform.node()}"


def now() -> str:
    """The time in reports: ISO 8601, to the second, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
