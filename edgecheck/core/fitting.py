"""Which variant fits: what to try next, when nothing more can be learned, and the answer. Values in, values out.

Two things can be done with a variant. To *look at* it is to convert it, to read its file and to compare it with its
source, all on this machine. To *run* it is to measure it on the device, which takes longest and is done last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from edgecheck.core.budget import Variant
from edgecheck.core.device_match import match
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.limits import OnUnknown
from edgecheck.core.measurement import is_measured_on
from edgecheck.core.metrics import AGREEMENT, FOOTPRINT, RAM_MODEL, RAM_PEAK, Direction
from edgecheck.core.report import CheckResult, Tried, worst
from edgecheck.core.verdict import Status, Verdict, show_pair

#: The variant that is not converted, and that therefore loses nothing.
UNCHANGED = "as-is"


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant on one device, as far as it was tried: whether it holds, what it loses, how far off it is."""

    result: CheckResult
    """With the verdicts on every limit where the trial is finished, else on those that need no device."""
    finished: bool
    """Whether it ran, or does not need to, or cannot."""

    @property
    def variant(self) -> Variant:
        """The variant that was tried."""
        return self.result.variant

    @property
    def was_made(self) -> bool:
        """Whether the conversion succeeded."""
        return self.result.artifact is not None

    @property
    def loss(self) -> float | None:
        """One minus the agreement with the source; None where that could not be measured."""
        if self.variant.name == UNCHANGED and not self.variant.prune:
            return 0.0
        found = (self.result.findings or {}).get(AGREEMENT.name)
        return 1.0 - found.value if isinstance(found, Measurement) else None

    @property
    def unusable(self) -> str:
        """Why its outputs are unusable, whatever the limits say; empty where they are usable."""
        found = (self.result.findings or {}).get(AGREEMENT.name)
        return found.reason if isinstance(found, Unmeasured) and found.fails else ""

    @property
    def diverges(self) -> str:
        """Why it is not recommended though every limit may hold: it answers something else; empty where it does not.

        A limit on `agreement` decides that instead.
        """
        limited = any(verdict.metric == AGREEMENT for verdict in self.result.verdicts)
        if limited or self.loss is None or self.loss <= MOST_LOSS:
            return ""
        return (
            f"its agreement with the source is {AGREEMENT.show(1.0 - self.loss)}, below {1.0 - MOST_LOSS:g}, and no"
            " limit on agreement allows that"
        )

    @property
    def fails(self) -> bool:
        """Whether it certainly does not fit."""
        return bool(self.unusable) or bool(self.in_the_way)

    @property
    def holds(self) -> bool:
        """Whether every limit holds; warnings are allowed."""
        status = worst(self.result.verdicts)
        usable = not self.unusable and not self.diverges
        return self.finished and usable and status in (Status.PASS, Status.WARN)

    @property
    def state(self) -> str:
        """`holds`, `fails`, `undecided`, `not run` or `not made`."""
        if not self.was_made:
            return "not made"
        if self.holds:
            return "holds"
        if self.fails:
            return "fails"
        return "undecided" if self.finished else "not run"

    @property
    def undecided(self) -> bool:
        """Whether it is not known yet if the artifact fits."""
        return self.was_made and not self.holds and not self.fails

    @property
    def in_the_way(self) -> tuple[Verdict, ...]:
        """The limits that fail, the furthest off first."""
        failed = (verdict for verdict in self.result.verdicts if verdict.status is Status.FAIL)
        return tuple(sorted(failed, key=distance, reverse=True))

    @property
    def distance(self) -> float:
        """How far it is from fitting: the distance of the limit that is furthest off."""
        return math.inf if self.unusable else max(map(distance, self.in_the_way), default=0.0)


def distance(verdict: Verdict) -> float:
    """How far a figure is beyond its bound: the logarithm of their ratio; infinite without a figure or a bound of zero.

    A logarithm, because a metric that should be small can be many times too large, but one that should be large
    cannot be below zero: 2 is as far from 1 as a half.
    """
    found, bound = verdict.found, verdict.bound
    if found is None or not found > 0 or not bound > 0:
        return math.inf
    off = found / bound if verdict.metric.direction is Direction.AT_MOST else bound / found
    return max(0.0, math.log(off))


def why_not(trial: Trial) -> str:
    """Why it is not the answer, in a clause: the limits that fail, else what is not known; empty where it fits."""
    result = trial.result
    if not trial.was_made:
        return f"could not be converted: {result.problem}"
    if trial.unusable:
        return trial.unusable
    if trial.in_the_way:
        return "; ".join(map(_beyond, trial.in_the_way))
    if trial.holds:
        return ""
    if trial.diverges:
        return f"undecided: {trial.diverges}"
    if not trial.finished:
        return "not run"
    open_limits = [each for each in result.verdicts if each.status is Status.UNKNOWN and not each.ignored]
    names = ", ".join(verdict.metric.name for verdict in open_limits)
    reason = result.problem or next((verdict.reason for verdict in open_limits), "no limit is set")
    return f"undecided ({names}): {reason}" if names else f"undecided: {reason}"


def _beyond(verdict: Verdict) -> str:
    if verdict.found is None or verdict.counted_as is OnUnknown.FAIL:
        return f"{verdict.metric.name}: {verdict.reason}"
    found, bound = show_pair(verdict.metric, verdict.found, verdict.bound)
    side = "over" if verdict.metric.direction is Direction.AT_MOST else "under"
    return f"{verdict.metric.name} {found} is {_by(verdict)}{side} {bound}"


#: From this share on a percentage needs no decimal; below the least it is "just"; beyond nine times the bound `14x`
#: reads better than a percentage.
_FULL = 0.1
_LEAST = 0.001
_TIMES = 9.0


def _by(verdict: Verdict) -> str:
    """By how much it is beyond its bound: `12% `, or `14x `; empty where that cannot be said."""
    share = verdict.margin
    if share is None or math.isnan(share):
        return ""
    if -share > _TIMES:
        return f"{1 - share:,.0f}x "
    return f"{-share:.{0 if -share >= _FULL else 1}%} " if -share >= _LEAST else "just "


#: A variant that loses more answers something else: it is never recommended unless a limit on `agreement` allows it.
MOST_LOSS = 0.1

#: What to do about a variant that answers something else.
ALLOW_DIVERGENCE = "give real inputs as samples; if they agree no better, set a limit on `agreement` to allow it"

#: A variant that loses no more than this counts as lossless: nothing is looked for that would lose less.
LOSSLESS = 1e-4


class Step(Enum):
    """What can be done with a variant."""

    LOOK = "look"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Move:
    """What to do next."""

    step: Step
    variant: Variant


class Outcome(Enum):
    """The answer for one device."""

    FITS = "fits"
    NOTHING = "nothing fits"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Fit:
    """Every variant's trial on one device, and the answer that follows."""

    trials: tuple[Trial, ...]
    """At least one; the least lossy first, and those of unknown loss last."""
    left: tuple[Variant, ...]
    """The variants that were not tried, since they could not change the answer."""

    @property
    def recommended(self) -> Trial | None:
        """The least lossy variant that holds every limit."""
        return next((trial for trial in self.trials if trial.holds), None)

    @property
    def outcome(self) -> Outcome:
        """Whether something fits, nothing does, or that is not known.

        Variants that could not be converted here say neither, unless that is true of all.
        """
        if self.recommended is not None:
            return Outcome.FITS
        made = [trial for trial in self.trials if trial.was_made]
        if made and (impossible(self.trials) or all(trial.fails for trial in made)):
            return Outcome.NOTHING
        return Outcome.UNDECIDED

    @property
    def nearest(self) -> Trial:
        """The recommended variant; else the least lossy that may still fit, else the one that is least far off."""
        if self.recommended is not None:
            return self.recommended
        made = [trial for trial in self.trials if trial.was_made] or list(self.trials)
        if self.outcome is Outcome.UNDECIDED:
            return next((trial for trial in made if trial.undecided), made[0])
        failed = [trial for trial in made if trial.fails]
        return min(failed, key=lambda trial: trial.distance)

    @property
    def stopped(self) -> str:
        """Why not every variant was run; empty where the table shows it."""
        return impossible(self.trials) or undecidable(self.trials)


def next_move(candidates: Sequence[Variant], trials: Sequence[Trial], *, every: bool = False) -> Move | None:
    """What to do next; None when the answer is certain, or nothing more can be learned.

    The order of `candidates` only decides what is looked at first. Which of them loses the least is decided by their
    measured agreement: unless a lossless one is found, all are looked at before one of them is run.

    Args:
        candidates: Every variant to choose from, the least lossy by name first.
        trials: The trials so far.
        every: Try everything, for a complete table, and not just for the answer.
    """
    if not every and (impossible(trials) or any(trial.holds and _is_lossless(trial) for trial in trials)):
        return None
    unseen = [variant for variant in candidates if all(trial.variant != variant for trial in trials)]
    waiting = _runnable(candidates, trials, every=every)
    if unseen and (every or not waiting or not _is_lossless(waiting[0])):
        return Move(Step.LOOK, unseen[0])
    return Move(Step.RUN, waiting[0].variant) if waiting else None


def _runnable(candidates: Sequence[Variant], trials: Sequence[Trial], *, every: bool) -> list[Trial]:
    """The trials whose run could change the answer, the least lossy first."""
    if undecidable(trials):
        return []
    waiting = [trial for trial in ranked(candidates, trials) if not trial.finished]
    if every:
        return waiting
    held = next((trial for trial in ranked(candidates, trials) if trial.holds), None)
    return [trial for trial in waiting if held is None and not trial.fails]


def answer(candidates: Sequence[Variant], trials: Sequence[Trial]) -> Fit:
    """The answer that follows from the trials."""
    seen = [trial.variant for trial in trials]
    return Fit(ranked(candidates, trials), tuple(each for each in candidates if each not in seen))


def ranked(candidates: Sequence[Variant], trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The least lossy first; those of unknown loss last, in the order of `candidates`."""

    def rank(trial: Trial) -> tuple[bool, float, int]:
        return trial.loss is None, trial.loss or 0.0, candidates.index(trial.variant)

    return tuple(sorted(trials, key=rank))


def _is_lossless(trial: Trial) -> bool:
    return trial.loss is not None and trial.loss <= LOSSLESS


def impossible(trials: Sequence[Trial]) -> str:
    """The limit that no variant can hold, as the runtime alone exceeds it, in a clause; empty where there is none."""
    reasons = (_runtime_alone(trial.result, verdict) for trial in trials for verdict in trial.in_the_way)
    return next((reason for reason in reasons if reason), "")


def _runtime_alone(result: CheckResult, verdict: Verdict) -> str:
    """That the bytes without any model exceed the limit; empty where they do not."""
    findings = result.findings or {}
    total, model = verdict.finding, findings.get(RAM_MODEL.name)
    alone = None
    if verdict.metric == RAM_PEAK and isinstance(total, Measurement) and isinstance(model, Measurement):
        alone = total.value - model.value
    elif verdict.metric == FOOTPRINT and isinstance(total, Measurement) and result.artifact is not None:
        alone = total.value - result.artifact.size
    if alone is None or not alone > verdict.bound:
        return ""
    metric = verdict.metric
    return (
        f"no variant can hold {metric.name} ≤ {metric.show(verdict.bound)}: "
        f"the runtime alone takes {metric.show(alone)}, without a model"
    )


def undecidable(trials: Sequence[Trial]) -> str:
    """Why no variant can be decided on this target; empty where it can be."""
    reasons = (_why_undecidable(trial.result) for trial in trials if trial.finished)
    return next((reason for reason in reasons if reason), "")


def _why_undecidable(result: CheckResult) -> str:
    if result.artifact is None or not result.target:
        return ""
    run = result.run
    if run is None:
        return f"{result.target} could not measure: {result.problem}" if result.problem else ""
    for verdict in result.verdicts:
        if verdict.status is not Status.UNKNOWN or verdict.ignored or not verdict.metric.needs_device:
            continue
        if mismatch := match(result.profile, run).mismatch:
            return f"no variant can be decided here: {mismatch}"
        if not is_measured_on(verdict.metric, run):
            return f"no variant can be decided here: {verdict.metric.name}: {verdict.reason}"
    return ""


def others(fit: Fit) -> tuple[Tried, ...]:
    """Every variant but `fit.nearest`, each with the reason why it is not the answer."""
    chosen = fit.nearest
    rest = [Tried(str(trial.variant), _reason(trial, fit)) for trial in fit.trials if trial is not chosen]
    return (*rest, *(Tried(str(variant), f"not tried{_since(fit, 'next to nothing')}") for variant in fit.left))


def _reason(trial: Trial, fit: Fit) -> str:
    if trial.holds:
        return "holds too, and loses more"
    words = why_not(trial)
    return f"{words}{_since(fit, 'less')}" if words == "not run" else words


def _since(fit: Fit, loss: str) -> str:
    if fit.recommended is not None:
        return f", since {fit.recommended.variant} holds and loses {loss}"
    return f": {fit.stopped}" if fit.stopped else ""
