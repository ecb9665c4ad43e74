"""`variants: auto` and `edgecheck fit`: try variants, as `core.fitting` says, until the answer is certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.checks.check import Attempt, Check, convert, explained, judge, measure, run
from edgecheck.converters.interface import AS_IS
from edgecheck.core.budget import Variant
from edgecheck.core.fitting import ALLOW_DIVERGENCE, MOST_LOSS, Fit, Step, Trial, answer, next_move, others
from edgecheck.core.limits import Limit, Source
from edgecheck.core.metrics import AGREEMENT
from edgecheck.core.report import CheckResult, Tried
from edgecheck.core.verdict import Status, Verdict

if TYPE_CHECKING:
    from edgecheck.converters.interface import ConversionSettings


@dataclass(frozen=True, slots=True)
class Search:
    """The answer, and the attempt at each variant before it ran."""

    fit: Fit
    attempts: dict[Variant, Attempt]


def choose(
    check: Check, settings: ConversionSettings, progress: Callable[[str], None]
) -> tuple[CheckResult, tuple[Tried, ...]]:
    """The result of the recommended variant, else of the nearest one; and why the others were not chosen."""
    done = search(check, settings, progress)
    chosen = done.fit.nearest
    result = chosen.result if chosen.finished else _not_run(done, chosen)
    result = explained(done.attempts[chosen.variant], result, progress)
    return _with_divergence(result, chosen), others(done.fit)


def _with_divergence(result: CheckResult, chosen: Trial) -> CheckResult:
    """The result with an unknown on `agreement` where the variant answers something else and no limit allows that."""
    finding = (result.findings or {}).get(AGREEMENT.name)
    if not chosen.diverges or finding is None:
        return result
    least = 1.0 - MOST_LOSS
    limit = Limit(metric=AGREEMENT, error=least, source=Source("every recommendation"))
    doubt = Verdict(limit=limit, status=Status.UNKNOWN, finding=finding, bound=least, reason=chosen.diverges)
    hint = result.hint or ALLOW_DIVERGENCE
    return replace(result, verdicts=(*result.verdicts, doubt), hint=hint)


def search(
    check: Check, settings: ConversionSettings, progress: Callable[[str], None], *, every: bool = False
) -> Search:
    """Convert and run the candidates of `check`, as many as the answer takes; with `every`, all of them."""
    trials: dict[Variant, Trial] = {}
    attempts: dict[Variant, Attempt] = {}
    while (move := next_move(check.candidates, tuple(trials.values()), every=every)) is not None:
        variant = move.variant

        def show(words: str, variant: Variant = variant) -> None:
            progress(f"{variant}: {words}")

        if move.step is Step.LOOK:
            alone = replace(check, variant=variant, candidates=())
            attempts[variant] = convert(alone, settings, show, compare=variant.name != AS_IS)
            trials[variant] = _before_running(attempts[variant])
        else:
            trials[variant] = Trial(_result(run(attempts[variant], show)), finished=True)
    return Search(answer(check.candidates, tuple(trials.values())), attempts)


def _result(attempt: Attempt) -> CheckResult:
    return judge(attempt, measure(attempt))


def _before_running(attempt: Attempt) -> Trial:
    """What is known before it runs: no verdict yet on limits that only the device decides."""
    result, check = _result(attempt), attempt.check
    needs_run = check.budget.accelerator is not None or any(limit.metric.needs_device for limit in check.limits)
    device_decides = bool(check.target) and needs_run
    if attempt.evidence is None or not device_decides:
        return Trial(result, finished=True)
    known = tuple(verdict for verdict in result.verdicts if not verdict.metric.needs_device)
    return Trial(replace(result, verdicts=known), finished=False)


def _not_run(done: Search, chosen: Trial) -> CheckResult:
    """The result with all verdicts: those that only the device decides are unknown."""
    attempt = done.attempts[chosen.variant]
    why = done.fit.stopped or "it was not run, since its files fail already"
    evidence = replace(attempt.evidence, not_run=why) if attempt.evidence is not None else None
    return _result(replace(attempt, evidence=evidence))
