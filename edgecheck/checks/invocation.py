"""One invocation, from what was asked to the report as it grows: the same for the command line and for the library."""

from __future__ import annotations

import platform
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from edgecheck import __version__
from edgecheck.checks import perform
from edgecheck.checks.plan import Selection, addresses, select
from edgecheck.converters.convert import Workshop
from edgecheck.core.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from edgecheck.checks.baseline import Baseline
    from edgecheck.checks.plan import Shard
    from edgecheck.config import Project
    from edgecheck.core.report import CheckResult


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked, where, and against what."""

    selection: Selection
    targets: tuple[str, ...] = ()
    """`ADDRESS` or `DEVICE=ADDRESS`."""
    baseline: Path | None = None
    merge_base: Path | None = None
    machines: int = 1
    """Emulated ones at once."""
    shard: Shard | None = None
    """The part of the checks to do; None: all."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """Checks that can begin, and the report that has none of them yet."""

    checks: tuple[perform.Check, ...]
    earlier: Baseline | None
    empty: Report
    machines: int
    fingerprints: tuple[str, ...] = ()
    """Of the checks, where their results are to be kept for a `--resume`."""
    done: Mapping[str, CheckResult] = field(default_factory=dict)
    """By fingerprint: what an interrupted invocation did already."""

    def reports(self, tell: Callable[[str], None]) -> Iterator[Report]:
        """The report each time that it has a check more, which is its last."""
        began = time.monotonic()
        report = self.empty
        with closing(self._results(tell)) as results:
            for result in results:
                report = replace(report, results=(*report.results, result), seconds=time.monotonic() - began)
                yield report

    def _results(self, tell: Callable[[str], None]) -> Generator[CheckResult]:
        names = self.fingerprints or ("",) * len(self.checks)
        left = [check for check, name in zip(self.checks, names, strict=True) if name not in self.done]
        workshop = Workshop(user_cache_path("edgecheck"))
        seen = perform.perform(left, workshop, tell, machines=self.machines)
        for name in names:
            yield self.done[name] if name in self.done else replace(self._judged(next(seen)), fingerprint=name)

    def _judged(self, seen: CheckResult) -> CheckResult:
        return self.earlier.judged(seen, self.empty.host) if self.earlier is not None else seen


def invocation(asked: Asked, project: Project) -> Invocation:
    """Everything read and looked up; nothing has run.

    Raises:
        UsageError: something that was asked for is not there, or does not go together.
    """
    budgets = select(asked.selection, project)
    earlier = None
    if asked.baseline is not None or asked.merge_base is not None:
        from edgecheck.checks.baseline import baseline_for_check  # most checks compare nothing

        earlier = baseline_for_check(asked.baseline, asked.merge_base, budgets, asked.selection.on_unknown)
    checks = perform.plan(budgets, addresses(asked.targets, project, budgets))
    if asked.shard is not None:
        checks = asked.shard.of(checks)
    empty = Report((), __version__, this_host(), now(), 0.0, str(asked.shard or ""))
    return Invocation(checks, earlier, empty, asked.machines)


def this_host() -> str:
    """The machine that a report comes from, as its reader knows it."""
    return f"{platform.system()} {platform.machine()} {platform.node()}"


def now() -> str:
    """The time as reports have it: ISO 8601, to the second, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
