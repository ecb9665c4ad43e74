"""Comparison with earlier results: the reports, and how much each metric may grow from them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config import load_allowances
from edgecheck.core.budget import Budget
from edgecheck.core.caveats import Caveat
from edgecheck.core.changes import gone
from edgecheck.core.comparison import Side, judged_against
from edgecheck.core.limits import Growths, OnUnknown
from edgecheck.core.report import CheckName, CheckResult, Report, from_root
from edgecheck.errors import UsageError
from edgecheck.reports.reading import read_report

if TYPE_CHECKING:
    from edgecheck.checks.check import Check
    from edgecheck.checks.plan import Selection

#: The path that means stdin.
STDIN = Path("-")


def load(path: Path) -> Report:
    """The report in a file, or on stdin for `-`.

    Raises:
        UsageError: it cannot be read, or is not a report of this version.
    """
    if path == STDIN:
        return read_report(sys.stdin.read(), "stdin")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} could not be read: {error.strerror}.", "Name a file that --format json wrote."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.", "Name a file that --format json wrote.") from error
    return read_report(text, str(path))


def joined(reports: Sequence[Report]) -> Report:
    """One report with the checks of several (shards, or CI jobs), in order.

    Raises:
        UsageError: a shard is among them twice, whose checks would count twice.
    """
    shards = [report.shard for report in reports if report.shard]
    if twice := next((shard for shard in shards if shards.count(shard) > 1), ""):
        raise UsageError(f"Shard {twice} is given twice.", "Name each shard's results once.")
    if len({report.folder for report in reports}) > 1:
        reports = [from_root(report) for report in reports]
    first, *others = reports
    hosts = dict.fromkeys(report.host for report in reports)
    return replace(
        first,
        results=tuple(result for report in reports for result in report.results),
        host=", ".join(hosts),
        started=min(report.started for report in reports),
        seconds=sum((report.seconds for report in others), first.seconds),
        shard="" if others else first.shard,
        boards=_joined_boards(reports),
    )


def _joined_boards(reports: Sequence[Report]) -> dict[str, tuple[str, ...]]:
    """The addresses of each device that has several, by any of the reports."""
    devices = dict.fromkeys(device for report in reports for device in report.boards)
    return {
        device: tuple(dict.fromkeys(one for report in reports for one in report.boards.get(device, ())))
        for device in devices
    }


def missing_shards(reports: Sequence[Report]) -> list[str]:
    """Where several reports are shards of one invocation, the shards that are missing: `3/4`."""
    shards = {report.shard for report in reports if report.shard}
    counts = {shard.partition("/")[2] for shard in shards}
    every = [f"{number}/{count}" for count in sorted(counts, key=int) for number in range(1, int(count) + 1)]
    return [shard for shard in every if shard not in shards] if len(reports) > 1 else []


#: An example of the rules, for hints.
EXAMPLE = "regression: {size: 1%, latency_p50: {growth: 10%, atleast: 2 ms}}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Earlier results and the rules on growth from them."""

    report: Report
    merge_base: Report | None
    rules: Mapping[str, Growths]
    """By budget file."""
    gone: tuple[Caveat, ...] = ()
    """What it has and the new results lack, as caveats of one of them."""

    def judge(self, result: CheckResult, host: str) -> CheckResult:
        """`result`, measured by `host`, with a verdict on the growth of each metric that has a rule."""
        rules = self.rules.get(result.budget.path, Growths()).of(result.profile.id)
        return judged_against(Side(result, host), rules, self.report, self.merge_base)


def without_checks(baseline: Baseline, checks: Sequence[Check], selection: Selection) -> Baseline:
    """The baseline with what it has and `checks` have not.

    What was not selected this time is not gone: other devices, and other budgets that still exist.
    """
    if selection.devices or selection.classes:
        return baseline
    budgets = {check.budget.path for check in checks}
    wanted = tuple(
        one
        for one in baseline.report.results
        if one.budget.path in budgets or (one.budget.path and not (selection.paths and Path(one.budget.path).exists()))
    )
    names = [
        CheckName(
            budget=check.budget.path,
            model=check.budget.model.path.name,
            variant="" if check.candidates else str(check.variant),
            device=check.profile.id,
        )
        for check in checks
    ]
    return replace(baseline, gone=gone(replace(baseline.report, results=wanted), names))


def rules_in_files(budgets: Iterable[str]) -> dict[str, Growths]:
    """The rules on growth in budget files, by file.

    Raises:
        UsageError: no file has any, or one is missing.
    """
    return _ensured(load_allowances([Path(path) for path in dict.fromkeys(budgets) if path]))


def _rules_of(budgets: Sequence[Budget], on_unknown: str | None) -> dict[str, Growths]:
    rules = {budget.path: budget.regression for budget in budgets}
    if on_unknown is None:
        return _ensured(rules)
    rule = OnUnknown(on_unknown)
    return _ensured({path: one.counted_as(rule) for path, one in rules.items()})


def _ensured(rules: dict[str, Growths]) -> dict[str, Growths]:
    if not any(one.each() for one in rules.values()):
        raise UsageError("No budget says how much may grow from the baseline.", f"Add to it, for example: {EXAMPLE}")
    return rules


def baseline_for_check(
    baseline: Path | None, merge_base: Path | None, budgets: Sequence[Budget], on_unknown: str | None
) -> Baseline | None:
    """The baseline of a check; None without `--baseline`.

    Raises:
        UsageError: a file is not a report, or no budget has rules on growth.
    """
    if baseline is None:
        if merge_base is not None:
            raise UsageError(
                "--merge-base also needs --baseline.",
                "edgecheck check BUDGET --baseline main.json --merge-base merge-base.json",
            )
        return None
    origin = load(merge_base) if merge_base is not None else None
    return Baseline(load(baseline), origin, _rules_of(budgets, on_unknown))
