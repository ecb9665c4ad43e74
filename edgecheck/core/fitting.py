"""Which variant fits: what to look at next, when there is nothing more to learn, and the answer; values in, values out.

Two things can be done with a variant. To *look at* it is to convert it, to read its file and to compare it with its
source, all on this machine. To *run* it is to have it measured on the device, which takes longest and is done last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from edgecheck.core.device_match import match
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.measurement import is_measured_on
from edgecheck.core.metrics import AGREEMENT, FOOTPRINT, RAM_MODEL, RAM_PEAK, Direction
from edgecheck.core.report import Tried, worst
from edgecheck.core.verdict import Status, show_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.core.budget import Variant
    from edgecheck.core.report import CheckResult
    from edgecheck.core.verdict import Verdict

# RF-SECTION fitting_trial: One variant on one device, as far as it was looked at: whether it holds, what it loses,
# how far off it is.

#: The variant that nothing is done to, and that therefore loses nothing.
UNCHANGED = "as-is"


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant, as far as it was looked at."""

    result: CheckResult
    """Its verdicts: of every limit where it is finished, else of those that need no device."""
    finished: bool
    """Whether it ran, or nothing of it needs a device, or there is nothing to run."""

    @property
    def variant(self) -> Variant:
        """What was tried."""
        return self.result.variant

    @property
    def was_made(self) -> bool:
        """Whether there is an artifact."""
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
        """Why its outputs are worth nothing, whatever the limits say; empty where they are not."""
        found = (self.result.findings or {}).get(AGREEMENT.name)
        return found.reason if isinstance(found, Unmeasured) and found.fails else ""

    @property
    def fails(self) -> bool:
        """Whether it is certain that it does not hold."""
        return bool(self.unusable) or bool(self.in_the_way)

    @property
    def holds(self) -> bool:
        """Whether every limit holds; warnings are allowed."""
        status = worst(self.result.verdicts)
        return self.finished and not self.unusable and status in (Status.PASS, Status.WARN)

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
        """Whether there is an artifact of which it is not known."""
        return self.was_made and not self.holds and not self.fails

    @property
    def in_the_way(self) -> tuple[Verdict, ...]:
        """The limits that do not hold, the one that is furthest off first."""
        failed = (verdict for verdict in self.result.verdicts if verdict.status is Status.FAIL)
        return tuple(sorted(failed, key=distance, reverse=True))

    @property
    def distance(self) -> float:
        """How far it is from holding: the distance of the limit that is furthest off."""
        return math.inf if self.unusable else max(map(distance, self.in_the_way), default=0.0)


def distance(verdict: Verdict) -> float:
    """The logarithm of how many times its bound a figure is; infinite where there is none, or the bound is zero.

    A logarithm, because a metric that should be small can be many times too large, but one that should be large can
    be no less than nothing: 2 is as far from 1 as a half.
    """
    found, bound = verdict.found, verdict.bound
    if found is None or not found > 0 or not bound > 0:
        return math.inf
    off = found / bound if verdict.metric.direction is Direction.AT_MOST else bound / found
    return max(0.0, math.log(off))


def why_not(trial: Trial) -> str:
    """Why it is not the answer, in a clause: the limits in its way, else what is not known; empty where it holds."""
    result = trial.result
    if not trial.was_made:
        return f"could not be converted: {result.problem}"
    if trial.unusable:
        return trial.unusable
    if trial.in_the_way:
        return "; ".join(map(_beyond, trial.in_the_way))
    if trial.holds:
        return ""
    if not trial.finished:
        return "not run"
    open_limits = [each for each in result.verdicts if each.status is Status.UNKNOWN and not each.ignored]
    names = ", ".join(verdict.metric.name for verdict in open_limits)
    reason = result.problem or next((verdict.reason for verdict in open_limits), "no limit is set")
    return f"undecided ({names}): {reason}" if names else f"undecided: {reason}"


def _beyond(verdict: Verdict) -> str:
    if verdict.found is None or verdict.reason.endswith("(on_unknown: fail)"):
        return f"{verdict.metric.name}: {verdict.reason}"
    found, bound = show_pair(verdict.metric, verdict.found, verdict.bound)
    side = "over" if verdict.metric.direction is Direction.AT_MOST else "under"
    return f"{verdict.metric.name} {found} is {_by(verdict)}{side} {bound}"


_FULL = 0.1  # from here on a percentage needs no decimal
_LEAST = 0.001
_TIMES = 9.0  # beyond ten times the bound it no longer reads well


def _by(verdict: Verdict) -> str:
    """By how much, where that can be said: `12% `, or `14x `."""
    share = verdict.margin
    if share is None or math.isnan(share):
        return ""
    if -share > _TIMES:
        return f"{1 - share:,.0f}x "
    return f"{-share:.{0 if -share >= _FULL else 1}%} " if -share >= _LEAST else "just "


#: What loses no more than this is taken as lossless: nothing is looked for that would lose less.
LOSSLESS = 1e-4


class Step(Enum):
    """What can be done with a variant."""

    LOOK = "look"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Move:
    """What is to be done next."""

    step: Step
    variant: Variant


class Outcome(Enum):
    """The answer in a word."""

    FITS = "fits"
    NOTHING = "nothing fits"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Fit:
    """What became of every variant on one device, and what follows."""

    trials: tuple[Trial, ...]
    """At least one; by what they lose, the least first, and by name where that is not known."""
    left: tuple[Variant, ...]
    """What was not looked at, since it could not change the answer."""

    @property
    def recommended(self) -> Trial | None:
        """The least lossy that holds every limit."""
        return next((trial for trial in self.trials if trial.holds), None)

    @property
    def outcome(self) -> Outcome:
        """Whether something fits, nothing does, or that is not known.

        What could not be converted here is no answer either way, unless nothing could be.
        """
        if self.recommended is not None:
            return Outcome.FITS
        made = [trial for trial in self.trials if trial.was_made]
        if made and (impossible(self.trials) or all(trial.fails for trial in made)):
            return Outcome.NOTHING
        return Outcome.UNDECIDED

    @property
    def nearest(self) -> Trial:
        """The recommended one; without it the least lossy that may yet hold, else the one that is least far off."""
        if self.recommended is not None:
            return self.recommended
        made = [trial for trial in self.trials if trial.was_made] or list(self.trials)
        if self.outcome is Outcome.UNDECIDED:
            return next((trial for trial in made if trial.undecided), made[0])
        failed = [trial for trial in made if trial.fails]
        return min(failed, key=lambda trial: trial.distance)

    @property
    def stopped(self) -> str:
        """Why not every variant was run, where that is not plain from the table; empty where it is."""
        return impossible(self.trials) or undecidable(self.trials)


def next_move(candidates: Sequence[Variant], trials: Sequence[Trial], *, every: bool = False) -> Move | None:
    """What to do next; None when the answer is certain, or nothing more can be learned.

    The order of `candidates` only says what is looked at first. Which of them loses the least is what their measured
    agreement says: unless what was looked at is lossless, all are looked at before one of them is run.

    Args:
        candidates: Every variant to choose from, the least lossy by name first.
        trials: What is known so far.
        every: Learn all that can be learned, for the whole table, and not just the answer.
    """
    if not every and (impossible(trials) or any(trial.holds and _is_lossless(trial) for trial in trials)):
        return None
    unseen = [variant for variant in candidates if all(trial.variant != variant for trial in trials)]
    waiting = _runnable(candidates, trials, every=every)
    if unseen and (every or not waiting or not _is_lossless(waiting[0])):
        return Move(Step.LOOK, unseen[0])
    return Move(Step.RUN, waiting[0].variant) if waiting else None


def _runnable(candidates: Sequence[Variant], trials: Sequence[Trial], *, every: bool) -> list[Trial]:
    """What running could change the answer of, the least lossy first."""
    if undecidable(trials):
        return []
    waiting = [trial for trial in ranked(candidates, trials) if not trial.finished]
    if every:
        return waiting
    held = next((trial for trial in ranked(candidates, trials) if trial.holds), None)
    return [trial for trial in waiting if held is None and not trial.fails]


def answer(candidates: Sequence[Variant], trials: Sequence[Trial]) -> Fit:
    """What follows from all that was seen."""
    seen = [trial.variant for trial in trials]
    return Fit(ranked(candidates, trials), tuple(each for each in candidates if each not in seen))


def ranked(candidates: Sequence[Variant], trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """By what they lose, the least first; where that is not known, last and in the order of `candidates`."""

    def rank(trial: Trial) -> tuple[bool, float, int]:
        return trial.loss is None, trial.loss or 0.0, candidates.index(trial.variant)

    return tuple(sorted(trials, key=rank))


def _is_lossless(trial: Trial) -> bool:
    return trial.loss is not None and trial.loss <= LOSSLESS


def impossible(trials: Sequence[Trial]) -> str:
    """The limit that no conversion can meet, since the runtime alone is beyond it; empty where there is none."""
    reasons = (_runtime_alone(trial.result, verdict) for trial in trials for verdict in trial.in_the_way)
    return next((reason for reason in reasons if reason), "")


def _runtime_alone(result: CheckResult, verdict: Verdict) -> str:
    """Bytes that are there without any model, where they are beyond the limit."""
    findings = result.findings or {}
    whole, model = verdict.finding, findings.get(RAM_MODEL.name)
    alone = None
    if verdict.metric == RAM_PEAK and isinstance(whole, Measurement) and isinstance(model, Measurement):
        alone = whole.value - model.value
    elif verdict.metric == FOOTPRINT and isinstance(whole, Measurement) and result.artifact is not None:
        alone = whole.value - result.artifact.size
    if alone is None or not alone > verdict.bound:
        return ""
    metric = verdict.metric
    return (
        f"no variant can hold {metric.name} ≤ {metric.show(verdict.bound)}: "
        f"the runtime alone takes {metric.show(alone)}, without a model"
    )


def undecidable(trials: Sequence[Trial]) -> str:
    """Why no variant can be decided on this target; empty where it can be."""
    reasons = (_target_in_the_way(trial.result) for trial in trials if trial.finished)
    return next((reason for reason in reasons if reason), "")


def _target_in_the_way(result: CheckResult) -> str:
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
    """Every variant but `fit.nearest`, each with why it is not the answer."""
    chosen = fit.nearest
    rest = [Tried(str(trial.variant), _beside(trial, fit)) for trial in fit.trials if trial is not chosen]
    return (*rest, *(Tried(str(variant), f"not tried{_since(fit, 'next to nothing')}") for variant in fit.left))


def _beside(trial: Trial, fit: Fit) -> str:
    if trial.holds:
        return "holds too, and loses more"
    words = why_not(trial)
    return f"{words}{_since(fit, 'less')}" if words == "not run" else words


def _since(fit: Fit, loss: str) -> str:
    if fit.recommended is not None:
        return f", since {fit.recommended.variant} holds and loses {loss}"
    return f": {fit.stopped}" if fit.stopped else ""
