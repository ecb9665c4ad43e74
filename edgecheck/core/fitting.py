"""Which variant fits: what to look at next, when there is nothing more to learn, and the answer; values in, values out.

Two things can be done with a variant. To *look at* it is to convert it, to read its file and to compare it with its
source, all on this machine. To *run* it is to have it measured on the device, which takes longest and is done last.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from edgecheck.core.finding import Measurement
from edgecheck.core.fitting_trial import Trial, why_not
from edgecheck.core.measurement import is_measured_on
from edgecheck.core.report import Tried
from edgecheck.core.standing import standing
from edgecheck.core.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.core.budget import Variant
    from edgecheck.core.report import CheckResult
    from edgecheck.core.verdict import Verdict

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
    whole, model = verdict.finding, findings.get("ram_model")
    alone = None
    if verdict.metric.name == "ram_peak" and isinstance(whole, Measurement) and isinstance(model, Measurement):
        alone = whole.value - model.value
    elif verdict.metric.name == "footprint" and isinstance(whole, Measurement) and result.artifact is not None:
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
        if stranger := standing(result.profile, run).stranger:
            return f"no variant can be decided here: {stranger}"
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
