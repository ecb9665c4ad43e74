"""Did a metric grow from the median of its last results? For where no single earlier report is a fair baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from edgecheck.core.caveats import Caveat
from edgecheck.core.finding import Finding, Measurement, Unmeasured
from edgecheck.core.history import Key, Series, key_of, run_of
from edgecheck.core.limits import Allowance, Limit, against_baseline
from edgecheck.core.metrics import Direction, Provenance
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.verdict import Status, Verdict, counted_as


@dataclass(frozen=True, slots=True)
class Past:
    """Earlier results, and which of them are the baseline."""

    series: Mapping[Key, Series]
    branch: str
    """Only results of this branch, and those whose branch is not known; empty: of every branch."""
    last: int
    """How many results, at most: the last ones."""

    def values(self, report: Report, result: CheckResult, found: Measurement) -> list[float]:
        """The last values of a finding's series, without those of the report itself."""
        series = self.series.get(key_of(report, result, found))
        own = run_of(report, result)
        readings = series.readings if series is not None else ()
        taken = [one.value for one in readings if one.run != own and self._is_of_branch(one.branch)]
        return taken[-self.last :]

    def _is_of_branch(self, branch: str) -> bool:
        return not self.branch or branch in ("", self.branch)


def judged_against_past(report: Report, result: CheckResult, rules: Iterable[Allowance], past: Past) -> CheckResult:
    """`result`, of `report`, with a verdict for each rule; with a caveat where the history has nothing of the check."""
    verdicts = [_verdict(report, result, rule, past) for rule in rules]
    if verdicts and all(verdict.baseline is None for verdict in verdicts):
        missing = Caveat(
            "no-baseline",
            "The history has no earlier result of this budget, model, variant, device and runtime.",
            "That is right if the check is new; else add the results of main: edgecheck history add REPORT.json",
        )
        return replace(result, caveats=(*result.caveats, missing))
    return replace(result, verdicts=(*result.verdicts, *verdicts))


def _verdict(report: Report, result: CheckResult, rule: Allowance, past: Past) -> Verdict:
    now = (result.findings or {}).get(rule.metric.name) or Unmeasured(rule.metric, result.problem or "it has no figure")
    values = past.values(report, result, now) if isinstance(now, Measurement) else []
    base = _baseline(rule, now, values)
    bound = rule.bound(base.value) if base is not None else 0.0
    counted = counted_as(*_answer(rule, now, values), rule.on_unknown)
    return Verdict(
        limit=Limit(metric=against_baseline(rule.metric), error=bound, source=rule.source, on_unknown=rule.on_unknown),
        status=counted.status,
        finding=now,
        bound=bound,
        reason=counted.reason,
        counted_as=counted.rule,
        baseline=base,
    )


def _baseline(rule: Allowance, now: Finding, values: list[float]) -> Measurement | None:
    if not values or not isinstance(now, Measurement):
        return None
    basis = f"median of {len(values)} earlier results" if len(values) > 1 else "one earlier result"
    return Measurement(metric=rule.metric, value=median(values), provenance=now.provenance, basis=basis)


def _answer(rule: Allowance, now: Finding, values: list[float]) -> tuple[Status, str]:
    """An exact figure is judged by its value; a measured one fails only beyond the spread of the earlier ones too."""
    if isinstance(now, Unmeasured):
        return (Status.FAIL if now.fails else Status.UNKNOWN), now.reason
    if not values:
        return Status.UNKNOWN, "the history has no earlier result of it"
    if math.isnan(now.value):
        return Status.FAIL, "it is not a number (NaN)"
    middle = median(values)
    show, share = rule.metric.show, (now.value - middle) / middle if middle else 0.0
    words = f"it {'grew' if share > 0 else 'fell'} by {abs(share):.1%} from {show(middle)}, the median of {len(values)}"
    if now.provenance is not Provenance.MEASURED:
        is_fine = rule.holds(now.value, rule.bound(middle))
        return (Status.PASS, "") if is_fine else (Status.FAIL, f"{words}; {rule} is allowed")
    at_most = rule.metric.direction is Direction.AT_MOST
    best, worst = (now.low, now.high) if at_most else (now.high, now.low)
    best, worst = now.value if best is None else best, now.value if worst is None else worst
    if rule.holds(worst, rule.bound(middle)):
        return Status.PASS, ""
    loosest = rule.bound(max(values) if at_most else min(values))
    if not rule.holds(best, loosest):
        return Status.FAIL, f"{words}, and lies beyond all of them; {rule} is allowed"
    return Status.UNKNOWN, f"{words}; whether by more than {rule} is not certain: measure longer"
