"""Did a metric grow from a baseline? Exact figures by value, measured times by a test on their samples."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from math import comb
from typing import TYPE_CHECKING

from edgecheck.core import looks, statistics
from edgecheck.core.caveats import Caveat
from edgecheck.core.comparability import Side, against_baseline, differences
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.limits import Limit, OnUnknown
from edgecheck.core.metrics import Direction, Provenance
from edgecheck.core.run import Outcome, Purpose
from edgecheck.core.units import Unit
from edgecheck.core.verdict import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgecheck.core.comparability import Allowance
    from edgecheck.core.finding import Finding
    from edgecheck.core.report import CheckResult, Report

# RF-SECTION batches: A correlated series as a few figures that are nearly independent: one from each batch of
# neighbours.

#: Few and long: a batch is to hold a disturbance whole, and ten against ten tell a difference at an error of 1 %
#: as soon as four in five of the pairs agree on it.
BATCHES = 10

#: Values that a batch must have on the thin side of its percentile, and blocks that it must be long.
_BEYOND = 3
_BLOCKS = 2


def figures(latencies: Sequence[float], quantile: float | None) -> list[float]:
    """The quantile of each batch of a series in order of time, or its mean for None; empty where it is too short.

    Batch means, as in Asmussen and Glynn, Stochastic Simulation (2007), IV.5, here for quantiles too: whatever
    correlates inside of a batch is in the spread of the figures. What is left over at the end is not used.
    """
    if len(latencies) < needed(latencies, quantile):
        return []
    size = len(latencies) // BATCHES
    return [_figure(latencies[at * size : (at + 1) * size], quantile) for at in range(BATCHES)]


def needed(latencies: Sequence[float], quantile: float | None) -> int:
    """The fewest inferences of this kind that the figures can be made from."""
    if not latencies:
        return 1
    block = looks.block_length(latencies, quantile or 0.5)
    thin = min(quantile, 1 - quantile) if quantile else 0.5
    return BATCHES * max(_BLOCKS * block, math.ceil(round(_BEYOND / thin, 6)))


def _figure(values: Sequence[float], quantile: float | None) -> float:
    return math.fsum(values) / len(values) if quantile is None else statistics.percentile(values, quantile)


# RF-SECTION rank_sum: Are the values of one small sample larger than those of another? Exactly, without a model of
# the noise.


def probability_of_larger(first: Sequence[float], second: Sequence[float]) -> float:
    """The probability that, were both from one distribution, `first` would have ranks as high as it has or higher.

    The one-sided rank-sum test of Wilcoxon, Biometrics Bulletin 1 (1945) 80, by counting every way in which the pooled
    ranks could have fallen to the two; ties get their mean rank. 1 where either is empty. Made for fresh processes: the
    work grows with the cube of how many there are.
    """
    ranks = _doubled_ranks([*first, *second])
    chosen = len(first)
    ways: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in range(chosen))]
    for rank in ranks:
        for count in range(chosen, 0, -1):
            for total, number in ways[count - 1].items():
                ways[count][total + rank] += number
    seen = sum(ranks[:chosen])
    return sum(number for total, number in ways[chosen].items() if total >= seen) / comb(len(ranks), chosen)


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the mean rank of each value among all, so that ties stay whole numbers."""
    ordered = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(ordered, start=1)))}
    last = {value: at for at, value in enumerate(ordered, start=1)}
    return [first[value] + last[value] for value in values]


_Answer = tuple[Status, str]

#: A wrong pass and a wrong fail each have at most this probability, as in a verdict on a limit.
ERROR = looks.ERROR

#: The rank test's level for batches of one process, which are not quite independent: half. Simulated with disturbances
#: of 5, 20 and 60 inferences in a row, at most 1.2 % of the passes and of the fails are then wrong.
_OF_BATCHES = ERROR / 2


def matching(result: CheckResult, report: Report | None) -> Side | None:
    """The check of the same budget, model, variant and device in `report`; None where it has none."""
    if report is None:
        return None
    found = (one for one in report.results if _identity(one) == _identity(result))
    return next((Side(one, report.host) for one in found), None)


def _identity(result: CheckResult) -> tuple[str, ...]:
    return result.budget.path, result.budget.model.path.name, str(result.variant), result.profile.id


def judged_against(
    head: Side, allowances: Iterable[Allowance], baseline: Report, merge_base: Report | None = None
) -> CheckResult:
    """`head` with a verdict more for each allowance; a new check has nothing to regress from, which a caveat tells.

    Args:
        head: What is judged.
        allowances: How much each metric may grow.
        baseline: What it must not have grown from.
        merge_base: The commit that the change began at: growth up to there is the baseline's, not the change's.
    """
    result = head.result
    base, origin = matching(result, baseline), matching(result, merge_base)
    rules = tuple(allowances)
    if base is None:
        told = Caveat(
            "no-baseline",
            "The baseline has no check of this budget, model, variant and device.",
            "Where it is new that is right; where its name changed, make the baseline again.",
        )
        return replace(result, caveats=(*result.caveats, told)) if rules else result
    verdicts = tuple(_verdict(head, base, allowance, origin) for allowance in rules)
    return replace(result, verdicts=(*result.verdicts, *verdicts))


def _verdict(head: Side, base: Side, allowance: Allowance, merge_base: Side | None) -> Verdict:
    now, then = _finding(head, allowance), _finding(base, allowance)
    # Without a figure to grow from there is no bound; its reason says so.
    bound = allowance.bound(then.value) if isinstance(then, Measurement) and not math.isnan(then.value) else 0.0
    limit = Limit(against_baseline(allowance.metric), bound, allowance.source, on_unknown=allowance.on_unknown)
    status, reason = _told(head, base, allowance, merge_base)
    ignored = status is Status.UNKNOWN and allowance.on_unknown is OnUnknown.IGNORE
    if status is Status.UNKNOWN and allowance.on_unknown in _INSTEAD:
        status, reason = _INSTEAD[allowance.on_unknown], f"{reason} (on_unknown: {allowance.on_unknown.value})"
    return Verdict(limit, status, now, bound, reason, ignored)


_INSTEAD = {OnUnknown.FAIL: Status.FAIL, OnUnknown.WARN: Status.WARN}


def _told(head: Side, base: Side, allowance: Allowance, merge_base: Side | None) -> _Answer:
    status, reason = _answer(head, base, allowance)
    if status is not Status.FAIL or merge_base is None:
        return status, reason
    own, own_reason = _answer(head, merge_base, allowance)
    if own is Status.PASS:
        return Status.WARN, f"inherited: {reason}; this change adds no more than that"
    return status, f"{reason}; since the merge base: {own_reason}"


def _answer(head: Side, base: Side, allowance: Allowance) -> _Answer:
    now = _finding(head, allowance)
    then = _finding(base, allowance)
    if isinstance(now, Unmeasured):
        return (Status.FAIL if now.fails else Status.UNKNOWN), now.reason
    if isinstance(then, Unmeasured) or math.isnan(then.value):
        return Status.UNKNOWN, "the baseline has no figure"
    if now.provenance is not then.provenance:
        return Status.UNKNOWN, f"now it is {now.provenance.value}, in the baseline it is {then.provenance.value}"
    if differ := differences(head, base, now.provenance):
        return Status.UNKNOWN, f"not comparable: {'; '.join(differ)}"
    return _compared(head, base, allowance, (now, then))


def _finding(side: Side, allowance: Allowance) -> Finding:
    found = (side.result.findings or {}).get(allowance.metric.name)
    return found or Unmeasured(allowance.metric, side.result.problem or "there is no figure of it")


def _compared(head: Side, base: Side, allowance: Allowance, figures: tuple[Measurement, Measurement]) -> _Answer:
    now, then = figures
    if now.provenance is Provenance.MEASURED and allowance.metric.unit is Unit.SECONDS:
        return _by_samples(head, base, allowance)
    if _within(allowance, now.value, then.value):
        return Status.PASS, ""
    if math.isnan(now.value):
        return Status.FAIL, "it is not a number (NaN)"
    return Status.FAIL, f"{_grown(allowance, now.value, then.value)}; {allowance} is allowed"


def _within(allowance: Allowance, now: float, then: float) -> bool:
    """Good, and nothing else: NaN is no pass."""
    bound = allowance.bound(then)
    return now <= bound if allowance.metric.direction is Direction.AT_MOST else now >= bound


def _grown(allowance: Allowance, now: float, then: float) -> str:
    if now == then:
        return f"it stayed at {allowance.metric.show(then)}"
    word = "grew" if now > then else "fell"
    share = f" by {abs(now - then) / then:.1%}" if then else ""
    return f"it {word}{share} from {allowance.metric.show(then)}"


#: What each fresh process shows once.
_PROCESSES = {"load_time": "load_time", "latency_first": "first_inference"}


def _by_samples(head: Side, base: Side, allowance: Allowance) -> _Answer:
    """By the ranks of what independent observations show: fresh processes, or batches of one process's inferences."""
    now, then = (_observations(side, allowance) for side in (head, base))
    if not now or not then:
        return Status.UNKNOWN, _too_few(head, base, allowance)
    allowed = [allowance.bound(value) for value in then]
    level = ERROR if allowance.metric.name in _PROCESSES else _OF_BATCHES
    grown = _grown(allowance, statistics.median(now), statistics.median(then))
    if probability_of_larger(now, allowed) <= level:
        return Status.FAIL, f"{grown}, by a test with an error of {ERROR:.0%}; {allowance} is allowed"
    if probability_of_larger(allowed, now) <= level:
        return Status.PASS, ""
    return Status.UNKNOWN, f"{grown}, and what was seen does not tell whether by more than {allowance}: measure longer"


def _observations(side: Side, allowance: Allowance) -> list[float]:
    field = _PROCESSES.get(allowance.metric.name)
    return figures(_latencies(side), allowance.metric.quantile) if field is None else _processes(side, field)


def _processes(side: Side, field: str) -> list[float]:
    workers = side.result.run.of(Purpose.LATENCY, Purpose.LOAD) if side.result.run is not None else ()
    finished = [getattr(worker, field) for worker in workers if worker.ending.outcome is Outcome.COMPLETED]
    return [value for value in finished if value is not None]


def _latencies(side: Side) -> tuple[float, ...]:
    workers = side.result.run.of(Purpose.LATENCY) if side.result.run is not None else ()
    return workers[-1].latencies if workers else ()


def _too_few(head: Side, base: Side, allowance: Allowance) -> str:
    least = max(needed(_latencies(side), allowance.metric.quantile) for side in (head, base))
    return f"there are too few inferences to compare: `measure: {{min_count: {least}}}` gives enough"
