"""What results are compared with: earlier results, and how much each metric may grow from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.checks import report_files
from edgecheck.config import load_allowances
from edgecheck.core.comparability import Side
from edgecheck.core.comparison import judged_against
from edgecheck.core.limits import OnUnknown
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecheck.core.comparability import Allowance
    from edgecheck.core.report import CheckResult, Report

#: How the rules are written, for hints.
EXAMPLE = "regression: {size: 1%, latency_p50: {growth: 10%, atleast: 2 ms}}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Earlier results and the rules on growth from them."""

    report: Report
    merge_base: Report | None
    rules: Mapping[str, tuple[Allowance, ...]]
    """By the budget's file."""

    def judged(self, result: CheckResult, host: str) -> CheckResult:
        """`result`, which `host` got, with what is to be said of its growth."""
        rules = self.rules.get(result.budget.path, ())
        return judged_against(Side(result, host), rules, self.report, self.merge_base)


def rules_of(budgets: Iterable[str], on_unknown: str | None = None) -> dict[str, tuple[Allowance, ...]]:
    """What budget files say of growth, by file.

    Raises:
        UsageError: none of them says anything, or one is not there.
    """
    paths = dict.fromkeys(path for path in budgets if path)
    rules = load_allowances([Path(path) for path in paths])
    if not any(rules.values()):
        raise UsageError("No budget says how much may grow from the baseline.", f"Add to it, for example: {EXAMPLE}")
    if on_unknown is None:
        return rules
    return {
        path: tuple(replace(rule, on_unknown=OnUnknown(on_unknown)) for rule in each) for path, each in rules.items()
    }


def baseline_for_check(
    baseline: Path | None, merge_base: Path | None, budgets: Iterable[str], on_unknown: str | None
) -> Baseline | None:
    """The baseline that a check was given; None where it was given none.

    Raises:
        UsageError: a file is no report, or no budget says how much may grow.
    """
    if baseline is None:
        if merge_base is not None:
            raise UsageError("--merge-base tells drift from a change, which takes a --baseline too.")
        return None
    origin = report_files.load(merge_base) if merge_base is not None else None
    return Baseline(report_files.load(baseline), origin, rules_of(budgets, on_unknown))
