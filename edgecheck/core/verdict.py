"""A finding against a limit: pass, warn, fail or unknown, with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from edgecheck.core import contention, looks
from edgecheck.core.device_match import SAME_DEVICE, DeviceMatch
from edgecheck.core.finding import Finding, Measurement, Unmeasured
from edgecheck.core.limits import Limit, OnUnknown
from edgecheck.core.metrics import Direction, Metric, Provenance


class Status(Enum):
    """The answer to one limit, from best to worst."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"


_SIDE = {Direction.AT_MOST: "over", Direction.AT_LEAST: "under"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One limit's answer."""

    limit: Limit
    status: Status
    finding: Finding
    bound: float
    """The bound that the status refers to: the error level's, or the warning's where that was crossed."""
    reason: str = ""
    """One sentence; empty for a plain pass."""
    counted_as: OnUnknown | None = None
    """What a limit that could not be decided counts as instead: fail, warn or ignore; None where no rule changed it."""
    baseline: Measurement | None = None
    """The figure that growth is measured from; None for a limit, and where the baseline has none."""

    @property
    def metric(self) -> Metric:
        """The limit's metric."""
        return self.limit.metric

    @property
    def ignored(self) -> bool:
        """The status is unknown, and the budget says to ignore that."""
        return self.counted_as is OnUnknown.IGNORE

    @property
    def found(self) -> float | None:
        """The figure in base units; None where there is none."""
        return self.finding.value if isinstance(self.finding, Measurement) else None

    @property
    def margin(self) -> float | None:
        """Room left as a share of the bound (negative: beyond it); None without a figure or a bound of zero."""
        if self.found is None or self.bound == 0:
            return None
        room = self.bound - self.found if self.metric.direction is Direction.AT_MOST else self.found - self.bound
        return room / self.bound


@dataclass(frozen=True, slots=True)
class _Answer:
    """One bound's answer."""

    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    """The answer of both levels, and the bound that it refers to."""

    status: Status
    bound: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """An answer after `on_unknown` was applied."""

    status: Status
    reason: str
    rule: OnUnknown | None = None
    """What changed how the answer counts; None where nothing did."""


_INSTEAD = {OnUnknown.FAIL: Status.FAIL, OnUnknown.WARN: Status.WARN}


def counted_as(status: Status, reason: str, on_unknown: OnUnknown) -> Counted:
    """The answer as `on_unknown` counts it: what is decided stays as it is, and a changed status says why."""
    if status is not Status.UNKNOWN or on_unknown is OnUnknown.UNKNOWN:
        return Counted(status, reason)
    if on_unknown is OnUnknown.IGNORE:
        return Counted(status, reason, on_unknown)
    return Counted(_INSTEAD[on_unknown], f"{reason}{_note(on_unknown)}", on_unknown)


def rule_of(status: Status, reason: str) -> OnUnknown | None:
    """The rule by which `counted_as` made a status and its reason: how a saved report says it. Not for `ignore`."""
    return next(
        (rule for rule, instead in _INSTEAD.items() if status is instead and reason.endswith(_note(rule))), None
    )


def _note(rule: OnUnknown) -> str:
    """Ends the reason of a limit that could not be decided, and counts as something else."""
    return f" (on_unknown: {rule.value})"


def judge(limit: Limit, finding: Finding, match: DeviceMatch = SAME_DEVICE) -> Verdict:
    """The verdict on `limit`. Only a figure within its bound passes; NaN, absent and undecided never do."""
    judged = _judge_levels(limit, finding, match)
    counted = counted_as(judged.status, judged.reason, limit.on_unknown)
    return Verdict(
        limit=limit,
        status=counted.status,
        finding=finding,
        bound=judged.bound,
        reason=counted.reason,
        counted_as=counted.rule,
    )


def _judge_levels(limit: Limit, finding: Finding, match: DeviceMatch) -> _Judged:
    if limit.error is not None:
        answer = _judge_bound(limit, "error", limit.error, finding, match)
        if answer.status is not Status.PASS or limit.warn is None:
            return _Judged(answer.status, limit.error, answer.reason)
    bound = limit.warn if limit.warn is not None else float("nan")
    answer = _judge_bound(limit, "warn", bound, finding, match)
    match answer.status:
        case Status.PASS:
            return _Judged(Status.PASS, limit.error if limit.error is not None else bound)
        case Status.FAIL:
            return _Judged(Status.WARN, bound, answer.reason)
        case _:
            # A warning that could not be decided is at worst that warning.
            return _Judged(Status.WARN if limit.error is not None else Status.UNKNOWN, bound, answer.reason)


def _judge_bound(limit: Limit, level: str, bound: float, finding: Finding, match: DeviceMatch) -> _Answer:
    answer = _judge_as_seen(limit, level, bound, finding, match)
    if not isinstance(finding, Measurement) or answer.status is Status.PASS:
        return answer
    if match.mismatch:  # on another device no figure decides, contended or not
        return answer
    if answer.status is Status.FAIL and finding.undisturbed is not None and finding.undisturbed <= bound:
        return _Answer(Status.UNKNOWN, f"{finding.disturbed}: {contention.ADVICE}")
    if not finding.contended:
        return answer
    if answer.status is Status.FAIL and not contention.explains(finding.unwaited, bound):
        return answer
    return _Answer(Status.UNKNOWN, f"{finding.contended}: {contention.ADVICE}")


def _judge_as_seen(limit: Limit, level: str, bound: float, finding: Finding, match: DeviceMatch) -> _Answer:
    mismatch = match.mismatch if limit.metric.needs_device else ""
    if isinstance(finding, Unmeasured):
        if mismatch and finding.fails:
            return _Answer(Status.UNKNOWN, f"ran on {match.place}: {finding.reason}")
        return _Answer(Status.FAIL if finding.fails else Status.UNKNOWN, finding.reason)
    if mismatch and finding.provenance is not Provenance.STATIC:
        return _Answer(Status.UNKNOWN, mismatch)
    key = f"{limit.metric.name}:{level}"
    if finding.counts and key in finding.counts:
        return _judge_counts(limit, key, bound, finding)
    if finding.interval and not limit.projected_point:
        return _judge_interval(limit.metric, bound, finding)
    return _judge_figure(limit.metric, bound, finding)


def _judge_figure(metric: Metric, bound: float, finding: Measurement) -> _Answer:
    if _within(metric, finding.value, bound):
        return _Answer(Status.PASS)
    if math.isnan(finding.value):
        return _Answer(Status.FAIL, "it is not a number (NaN)")
    shown, limit = show_pair(metric, finding.value, bound)
    return _Answer(Status.FAIL, f"{shown} is {_SIDE[metric.direction]} {limit}")


def _judge_interval(metric: Metric, bound: float, finding: Measurement) -> _Answer:
    if finding.low is None or finding.high is None:
        return _Answer(Status.UNKNOWN, f"{finding.basis} are too few for a confidence bound")
    best, worst = finding.low, finding.high
    if metric.direction is Direction.AT_LEAST:
        best, worst = worst, best
    if _within(metric, worst, bound):
        return _Answer(Status.PASS)
    low, high = metric.show(finding.low), metric.show(finding.high)
    if _within(metric, best, bound) or math.isnan(best):
        return _Answer(Status.UNKNOWN, f"it is between {low} and {high}, and so is the bound {metric.show(bound)}")
    return _Answer(Status.FAIL, f"{low} to {high} is {_SIDE[metric.direction]} {metric.show(bound)}")


def _within(metric: Metric, value: float, bound: float) -> bool:
    """Whether the value is good for certain: NaN is on neither side of a bound."""
    return value <= bound if metric.direction is Direction.AT_MOST else value >= bound


def _judge_counts(limit: Limit, key: str, bound: float, finding: Measurement) -> _Answer:
    metric, counts = limit.metric, finding.counts
    if metric.quantile is None or counts is None:
        raise ValueError(f"{key} is not a percentile")
    count = counts[key]
    decision = looks.decide(count, looks.look_table(metric.quantile))
    exceed = f"{count.exceedances:,} of {count.inferences:,} inferences took over {metric.show(bound)}"
    if decision == "pass":
        return _Answer(Status.PASS)
    if decision == "fail":
        return _Answer(Status.FAIL, exceed)
    needed = looks.inferences_needed(metric.quantile, count.block)
    if count.inferences < needed and not count.exceedances:
        return _Answer(
            Status.UNKNOWN,
            f"none of {count.inferences:,} inferences took over {metric.show(bound)}, but {metric.name} needs at least "
            f"{needed:,}: raise `measure: {{max_time: …}}`, or limit a lower percentile",
        )
    allowed = (1 - metric.quantile) * count.inferences
    return _Answer(
        Status.UNKNOWN,
        f"not decided within the time allowed: {exceed}, and about {allowed:.0f} is the bound; "
        "where slow inferences come in bursts, `measure: {max_time: …}` must be many times as long as one",
    )


def show_pair(metric: Metric, value: float, bound: float) -> tuple[str, str]:
    """Texts of a figure and its bound: exact where the short ones would read the same."""
    short = metric.show(value), metric.show(bound)
    if short[0] == short[1] and value != bound:
        return metric.show(value, exact=True), metric.show(bound, exact=True)
    return short
