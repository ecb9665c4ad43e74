"""Did a metric grow from a baseline? Exact figures by value, measured times by a test on their samples.

Two results are compared only where nothing but the model differs: the same runtime, the same machine.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import comb

from edgecheck.core import contention, looks, statistics
from edgecheck.core.accelerator import CPU
from edgecheck.core.address import is_this_machine
from edgecheck.core.caveats import Caveat
from edgecheck.core.finding import Finding, Measurement, Unmeasured
from edgecheck.core.limits import Allowance, Limit, against_baseline
from edgecheck.core.measurement import is_measured_on
from edgecheck.core.metrics import Family, Provenance
from edgecheck.core.operator_changes import explanation
from edgecheck.core.readers import ON_DEVICE, per_process
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.run import DeviceState, Outcome, Purpose, RuntimeFacts
from edgecheck.core.sustained import settled
from edgecheck.core.verdict import Status, Verdict, counted_as

#: The share by which total RAM differs between two kernels of one machine.
_SAME_RAM = 0.02


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results, and the computer that ran edgecheck."""

    result: CheckResult
    host: str


def differences(head: Side, base: Side, provenance: Provenance) -> tuple[str, ...]:
    """Why figures of this provenance cannot be compared, each as `runtime: now x, then y`; empty where they can.

    Figures from files are the same everywhere. Figures of a run need the same runtime on the same kind of machine;
    those measured by a clock, the very same machine.
    """
    if provenance is Provenance.STATIC:
        return ()
    now, then = head.result.run, base.result.run
    if now is None or then is None:
        return ("only one of the two was run",)
    pairs = [
        ("accelerator", *(str(side.result.budget.accelerator or CPU) for side in (head, base))),
        ("runtime", _runtime(now.runtime), _runtime(then.runtime)),
        *_machine(now.before, then.before),
    ]
    if provenance is Provenance.MEASURED:
        pairs.append(("target", now.target, then.target))
        if now.target == then.target and is_this_machine(now.target):
            pairs.append(("machine", head.host, base.host))
    return tuple(f"{what}: now {_or_unknown(new)}, then {_or_unknown(old)}" for what, new, old in pairs if new != old)


def _runtime(facts: RuntimeFacts | None) -> str:
    if facts is None:
        return ""
    versions = [f"{name} {version}" for name, version in (("Python", facts.python), ("numpy", facts.numpy)) if version]
    return f"{facts} ({', '.join(versions)})" if versions else str(facts)


def _machine(now: DeviceState, then: DeviceState) -> Iterator[tuple[str, str, str]]:
    yield "board", now.model, then.model
    yield "architecture", now.machine, then.machine
    yield "processor", _processor(now), _processor(then)
    yield "C library", now.libc, then.libc
    yield "page size", str(now.page_size or ""), str(then.page_size or "")
    yield "governor", ", ".join(sorted(set(now.governors))), ", ".join(sorted(set(then.governors)))
    yield "power mode", now.power_mode, then.power_mode
    if now.phone is not None and then.phone is not None:
        yield "Android", now.phone.android, then.phone.android
        yield "cores", ", ".join(map(str, now.affinity)), ", ".join(map(str, then.affinity))
    new, old = now.ram_total or 0, then.ram_total or 0
    if abs(new - old) > _SAME_RAM * max(new, old):
        yield "RAM", f"{new / 2**20:,.0f} MiB", f"{old / 2**20:,.0f} MiB"


def _processor(state: DeviceState) -> str:
    names = ", ".join(dict.fromkeys(state.cpu_names or state.cpu_parts))
    return f"{state.cpu_count} x {names}" if names else ""


def _or_unknown(text: str) -> str:
    return text or "unknown"


_Answer = tuple[Status, str]


def judged_against(
    head: Side, allowances: Iterable[Allowance], baseline: Report, merge_base: Report | None = None
) -> CheckResult:
    """`head` with another verdict for each allowance; for a new check with a caveat, as it has nothing to grow from.

    Args:
        head: The result to judge.
        allowances: How much each metric may grow.
        baseline: The report that it is compared with.
        merge_base: The report of the commit that the change began at: growth up to there is not this change's.
    """
    result = head.result
    base, origin = matching(result, baseline), matching(result, merge_base)
    rules = tuple(allowances)
    if base is None:
        missing = Caveat(
            "no-baseline",
            "The baseline has no check of this budget, model, variant and device.",
            "That is right if the check is new; if its name changed, measure the baseline again.",
        )
        return replace(result, caveats=(*result.caveats, missing)) if rules else result
    idle = [rule for rule in rules if _is_idle(rule, result)]
    verdicts = tuple(_verdict(head, base, allowance, origin) for allowance in rules if allowance not in idle)
    caveats = (*result.caveats, *([_not_compared(idle, result)] if idle else []))
    on_limits = (replace(verdict, baseline=_comparable(verdict, head, base)) for verdict in result.verdicts)
    return replace(result, verdicts=(*on_limits, *verdicts), caveats=caveats)


def _comparable(verdict: Verdict, head: Side, base: Side) -> Measurement | None:
    """The baseline's figure of a limited metric, where nothing but the model differs."""
    now, then = verdict.finding, (base.result.findings or {}).get(verdict.metric.name)
    if not isinstance(now, Measurement) or not isinstance(then, Measurement) or now.provenance is not then.provenance:
        return None
    return None if differences(head, base, now.provenance) else then


def _is_idle(rule: Allowance, result: CheckResult) -> bool:
    """Whether a rule for all devices is about what this target never shows, such as instructions on real hardware."""
    run = result.run
    return rule.is_shared and rule.metric.needs_device and run is not None and not is_measured_on(rule.metric, run)


def _not_compared(rules: Sequence[Allowance], result: CheckResult) -> Caveat:
    names = ", ".join(rule.metric.name for rule in rules)
    return Caveat(
        "not-compared",
        f"{result.target} never shows {names}, so the rule on its growth does not apply here.",
        f"To insist on it, write the rule under `devices: {{{result.profile.id}: {{regression: …}}}}`.",
    )


def matching(result: CheckResult, report: Report | None) -> Side | None:
    """The check of the same budget, model, variant and device in `report`; None where it has none.

    A model is known by its file's name, as its folder can be elsewhere; where several have that name, by its path.
    """
    if report is None:
        return None
    found = [one for one in report.results if one.name == result.name]
    if len(found) > 1:
        found = [one for one in found if one.budget.model.path == result.budget.model.path]
    return Side(found[0], report.host) if found else None


def _verdict(head: Side, base: Side, allowance: Allowance, merge_base: Side | None) -> Verdict:
    now, then = _finding(head, allowance), _finding(base, allowance)
    # Without a figure in the baseline there is no bound; the reason says so.
    bound = allowance.bound(then.value) if isinstance(then, Measurement) and not math.isnan(then.value) else 0.0
    limit = Limit(
        metric=against_baseline(allowance.metric), error=bound, source=allowance.source, on_unknown=allowance.on_unknown
    )
    status, reason = _answer(head, base, allowance, merge_base)
    if status is Status.FAIL and allowance.metric.family in (Family.LATENCY, Family.COUNT):
        operators = explanation(head.result.operators, base.result.operators)
        reason = "; ".join(part for part in (reason, operators) if part)
    counted = counted_as(status, reason, allowance.on_unknown)
    return Verdict(
        limit=limit,
        status=counted.status,
        finding=now,
        bound=bound,
        reason=counted.reason,
        counted_as=counted.rule,
        baseline=then if isinstance(then, Measurement) else None,
    )


def _answer(head: Side, base: Side, allowance: Allowance, merge_base: Side | None) -> _Answer:
    """The answer against `base`; growth that `merge_base` has too is only a warning."""
    status, reason = _answer_against(head, base, allowance)
    if status is not Status.FAIL or merge_base is None:
        return status, reason
    since_merge_base, its_reason = _answer_against(head, merge_base, allowance)
    if since_merge_base is Status.PASS:
        return Status.WARN, f"inherited: {reason}; this change adds no more than that"
    return status, f"{reason}; since the merge base: {its_reason}"


def _answer_against(head: Side, base: Side, allowance: Allowance) -> _Answer:
    now = _finding(head, allowance)
    then = _finding(base, allowance)
    if isinstance(now, Unmeasured):
        return (Status.FAIL if now.fails else Status.UNKNOWN), now.reason
    if isinstance(then, Unmeasured) or math.isnan(then.value):
        return Status.UNKNOWN, "the baseline has no figure"
    if now.provenance is not then.provenance:
        return Status.UNKNOWN, f"it is {now.provenance.value} now and {then.provenance.value} in the baseline"
    if differ := differences(head, base, now.provenance):
        return Status.UNKNOWN, f"not comparable: {'; '.join(differ)}"
    return _compared(head, base, allowance, (now, then))


def _finding(side: Side, allowance: Allowance) -> Finding:
    found = (side.result.findings or {}).get(allowance.metric.name)
    return found or Unmeasured(allowance.metric, side.result.problem or "it has no figure")


def _compared(head: Side, base: Side, allowance: Allowance, figures: tuple[Measurement, Measurement]) -> _Answer:
    now, then = figures
    if now.provenance is Provenance.MEASURED and allowance.metric.family in (Family.LATENCY, Family.LOAD):
        return _by_samples(head, base, allowance)
    if allowance.holds(now.value, allowance.bound(then.value)):
        return Status.PASS, ""
    if math.isnan(now.value):
        return Status.FAIL, "it is not a number (NaN)"
    return Status.FAIL, f"{_grown(allowance, now.value, then.value)}; {allowance} is allowed"


def _grown(allowance: Allowance, now: float, then: float) -> str:
    if now == then:
        return f"it stayed at {allowance.metric.show(then)}"
    word = "grew" if now > then else "fell"
    share = f" by {abs(now - then) / then:.1%}" if then else ""
    return f"it {word}{share} from {allowance.metric.show(then)}"


#: A wrong pass and a wrong fail each have at most this probability, as in a verdict on a limit.
ERROR = looks.ERROR

#: The rank test's level for batches of one process, which are not quite independent: half. Simulated with disturbances
#: of 5, 20 and 60 inferences in a row, at most 1.2 % of the passes and of the fails are then wrong.
_OF_BATCHES = ERROR / 2


def _by_samples(head: Side, base: Side, allowance: Allowance) -> _Answer:
    """By the ranks of independent observations: fresh processes, or batches of one process's inferences."""
    now, then = (_observations(side, allowance) for side in (head, base))
    if not now or not then:
        return Status.UNKNOWN, _too_few(head, base, allowance)
    status, reason = _by_ranks(allowance, now, then, _figures(head, base, allowance))
    if doubt := _contention(head, base, allowance, status):
        return Status.UNKNOWN, doubt
    return status, reason


def _figures(head: Side, base: Side, allowance: Allowance) -> tuple[float, float]:
    """The figures that reports show for the two sides."""
    now, then = _finding(head, allowance), _finding(base, allowance)
    assert isinstance(now, Measurement) and isinstance(then, Measurement)  # noqa: S101, PT018 - `_answer_against`
    return now.value, then.value


def _by_ranks(
    allowance: Allowance, now: Sequence[float], then: Sequence[float], figures: tuple[float, float]
) -> _Answer:
    """The answer of the ranks, in words about the `figures`, which must not contradict it."""
    allowed = [allowance.bound(value) for value in then]
    level = ERROR if allowance.metric.family is Family.LOAD else _OF_BATCHES
    value, baseline = figures
    grown, is_within = _grown(allowance, value, baseline), allowance.holds(value, allowance.bound(baseline))
    if probability_of_larger(now, allowed) <= level and not is_within:
        return Status.FAIL, f"{grown}, by a test with an error of {ERROR:.0%}; {allowance} is allowed"
    if probability_of_larger(allowed, now) <= level and is_within:
        return Status.PASS, ""
    return Status.UNKNOWN, f"{grown}; whether by more than {allowance} is not certain: measure longer"


def _contention(head: Side, base: Side, allowance: Allowance, status: Status) -> str:
    """Why growth may be due to other processes; empty where they cannot have changed the answer.

    They make a side slower, never faster: growth of a head that was slowed may not be the model's, and that of a base
    hides growth.
    """
    now, then = _finding(head, allowance), _finding(base, allowance)
    if not isinstance(now, Measurement) or not isinstance(then, Measurement):
        return ""
    matters = bool(then.contended) and status is not Status.FAIL
    if status is Status.PASS and then.unwaited is not None:  # it may hold against the fastest that the base can be
        matters = matters and not allowance.holds(now.value, allowance.bound(then.unwaited / contention.SLOWER))
    slowed = now.contended
    if status is Status.FAIL and now.undisturbed is not None and now.undisturbed <= allowance.bound(then.value):
        matters, slowed = True, now.disturbed
    elif now.contended and status is not Status.PASS:
        matters = status is not Status.FAIL or contention.explains(now.unwaited, allowance.bound(then.value))
    if not matters:
        return ""
    causes = (("now", slowed), ("in the baseline", then.contended))
    sides = "; ".join(f"{when}, {cause or 'nothing slowed it'}" for when, cause in causes)
    return f"{sides}: measure both on a machine that does nothing else, or compare `instructions`"


def _observations(side: Side, allowance: Allowance) -> list[float]:
    metric, run = allowance.metric, side.result.run
    if metric.family is not Family.LOAD:
        return batch_figures(_latencies(side), metric.quantile)
    purposes = ON_DEVICE[metric.name].purposes
    workers = run.of(*purposes) if run is not None else ()
    return per_process(metric, (worker for worker in workers if worker.ending.outcome is Outcome.COMPLETED))


def _latencies(side: Side) -> Sequence[float]:
    workers = side.result.run.of(Purpose.LATENCY) if side.result.run is not None else ()
    return settled(workers[-1]).latencies if workers else ()


def _too_few(head: Side, base: Side, allowance: Allowance) -> str:
    least = max(inferences_for_batches(_latencies(side), allowance.metric.quantile) for side in (head, base))
    return f"there are too few inferences to compare: set `measure: {{min_count: {least}}}`"


#: Few and long: a batch should contain an entire disturbance, and ten against ten show a difference at an error of 1 %
#: as soon as four in five of the pairs agree on it.
BATCHES = 10

#: Values that a batch must have on the thin side of its percentile, and its least length in blocks.
_BEYOND = 3
_BLOCKS = 2


def batch_figures(latencies: Sequence[float], quantile: float | None) -> list[float]:
    """A correlated series as nearly independent figures: the quantile (for None the mean) of each of its batches.

    Batch means, as in Asmussen and Glynn, Stochastic Simulation (2007), IV.5, here for quantiles too: whatever
    correlates within a batch is in the spread of the figures. The series is in order of time; a rest at its end is not
    used. Empty where it is too short.
    """
    if len(latencies) < inferences_for_batches(latencies, quantile):
        return []
    size = len(latencies) // BATCHES
    return [_figure(latencies[at * size : (at + 1) * size], quantile) for at in range(BATCHES)]


def inferences_for_batches(latencies: Sequence[float], quantile: float | None) -> int:
    """The fewest inferences like these that make the batches long enough."""
    if not latencies:
        return 1
    block = looks.block_length(latencies, quantile or 0.5)
    thin = min(quantile, 1 - quantile) if quantile else 0.5
    return BATCHES * max(_BLOCKS * block, math.ceil(round(_BEYOND / thin, 6)))


def _figure(values: Sequence[float], quantile: float | None) -> float:
    return math.fsum(values) / len(values) if quantile is None else statistics.percentile(values, quantile)


def probability_of_larger(first: Sequence[float], second: Sequence[float]) -> float:
    """The probability that `first` had ranks at least this high if both samples were from one distribution.

    The one-sided rank-sum test of Wilcoxon, Biometrics Bulletin 1 (1945) 80, by counting every way in which the pooled
    ranks could have fallen to the two; ties get their mean rank. 1 where either is empty. Meant for small
    samples: the work grows with the cube of their size.
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
    """Twice the mean rank of each value among all, so that ties stay integers."""
    ordered = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(ordered, start=1)))}
    last = {value: at for at, value in enumerate(ordered, start=1)}
    return [first[value] + last[value] for value in values]
