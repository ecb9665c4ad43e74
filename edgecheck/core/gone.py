"""Checks that a baseline has and new results lack: what was deleted must not pass unnoticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecheck.core.caveats import Caveat
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.text import listed

#: Checks that a caveat names.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Place:
    """What a check is known by in another report, but for its variant where that is chosen again each time."""

    budget: str
    model: str
    variant: str
    """Empty where it is chosen among several."""
    device: str

    @classmethod
    def of(cls, result: CheckResult) -> Place:
        """The place of a result."""
        name = "" if result.tried else str(result.variant)
        return cls(result.budget.path, result.budget.model.path.name, name, result.profile.id)

    def is_of(self, result: CheckResult) -> bool:
        """Whether a result is of this place."""
        other = Place.of(result)
        same = (self.budget, self.model, self.device) == (other.budget, other.model, other.device)
        return same and (not self.variant or not other.variant or self.variant == other.variant)


def gone(baseline: Report, places: Sequence[Place]) -> tuple[Caveat, ...]:
    """A caveat that names the checks of `baseline` that are at none of `places`, which nothing judges any more."""
    lost = [one for one in baseline.results if not any(place.is_of(one) for place in places)]
    if not lost:
        return ()
    names = [f"{one.budget.model.path.name} ({one.variant} on {one.profile.id})" for one in lost]
    shown = listed(names, _MOST_NAMED)
    return (
        Caveat(
            "gone",
            f"The baseline has {'a check' if len(lost) == 1 else 'checks'} that this report lacks: {shown}.",
            "If it was removed or renamed on purpose, measure the baseline again; else restore its budget.",
        ),
    )
