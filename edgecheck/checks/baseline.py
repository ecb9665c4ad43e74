"""Comparison with earlier results: the reports, and how much each metric may grow from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.checks import report_files
from edgecheck.config import load_allowances
from edgecheck.core.budget import Budget
from edgecheck.core.comparability import Side
from edgecheck.core.comparison import judged_against
from edgecheck.core.limits import Allowance, OnUnknown
from edgecheck.core.report import CheckResult, Report
from edgecheck.errors import UsageError

#: An example of the rules, for hints.
EXAMPLE = "regression: {size: 1%, latency_p50: {growth: 10%, atleast: 2 ms}}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Earlier results and the rules on growth from them."""

    report: Report
    merge_base: Report | None
    rules: Mapping[str, tuple[Allowance, ...]]
    """By budget file."""

    def judge(self, result: CheckResult, host: str) -> CheckResult:
        """`result`, measured by `host`, with a verdict on the growth of each metric that has a rule."""
        rules = self.rules.get(result.budget.path, ())
        return judged_against(Side(result, host), rules, self.report, self.merge_base)


def rules_in_files(budgets: Iterable[str]) -> dict[str, tuple[Allowance, ...]]:
    """The rules on growth in budget files, by file.

    Raises:
        UsageError: no file has any, or one is missing.
    """
    return _ensured(load_allowances([Path(path) for path in dict.fromkeys(budgets) if path]))


def _rules_of(budgets: Sequence[Budget], on_unknown: str | None) -> dict[str, tuple[Allowance, ...]]:
    rules = {budget.path: budget.regression for budget in budgets}
    if on_unknown is None:
        return _ensured(rules)
    rule = OnUnknown(on_unknown)
    return _ensured({path: tuple(replace(each, on_unknown=rule) for each in one) for path, one in rules.items()})


def _ensured(rules: dict[str, tuple[Allowance, ...]]) -> dict[str, tuple[Allowance, ...]]:
    if not any(rules.values()):
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
            raise UsageError("--merge-base also needs --baseline.")
        return None
    origin = report_files.load(merge_base) if merge_base is not None else None
    return Baseline(report_files.load(baseline), origin, _rules_of(budgets, on_unknown))
