"""One variant on one device, as far as it was looked at: whether it holds, what it loses, how far off it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.metrics import Direction
from edgecheck.core.report import worst
from edgecheck.core.verdict import Status, show_pair

if TYPE_CHECKING:
    from edgecheck.core.budget import Variant
    from edgecheck.core.report import CheckResult
    from edgecheck.core.verdict import Verdict

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
        found = (self.result.findings or {}).get("agreement")
        return 1.0 - found.value if isinstance(found, Measurement) else None

    @property
    def unusable(self) -> str:
        """Why its outputs are worth nothing, whatever the limits say; empty where they are not."""
        found = (self.result.findings or {}).get("agreement")
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
