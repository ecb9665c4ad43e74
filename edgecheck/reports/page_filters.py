"""Filters and highlights of the HTML report, in style sheets alone: no script is needed, and the keyboard works."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edgecheck.core.report import CheckResult
from edgecheck.reports.wording import WORST_FIRST, clean

#: What is the same in all elements that a filter can hide: a check, and a row of a table about one limit or one check.
_HIDDEN = "{ display: none; }"

#: The controls. Rules about the entire page instead would be looked at for each element that the browser reads.
_FILTERS = ".filters"


@dataclass(frozen=True, slots=True)
class Names:
    """Class names for texts from outside, which could not be class names themselves: `d0`, `d1`, …."""

    letter: str
    known: dict[str, str] = field(default_factory=dict)

    def of(self, text: str) -> str:
        """The class of a text, the same each time."""
        return self.known.setdefault(text, f"{self.letter}{len(self.known)}")


@dataclass(frozen=True, slots=True)
class Filters:
    """The devices and metrics that a reader can choose, with their classes."""

    devices: Names
    metrics: Names

    @classmethod
    def of(cls, results: Iterable[CheckResult]) -> Filters:
        """Those of a report, in its order."""
        found = cls(Names("d"), Names("m"))
        for result in results:
            found.devices.of(clean(result.profile.id))
            for verdict in result.verdicts:
                found.metrics.of(clean(verdict.metric.name))
        return found

    def classes(self, result: CheckResult) -> str:
        """The classes of a check: its device and its metrics."""
        metrics = dict.fromkeys(self.metrics.of(clean(verdict.metric.name)) for verdict in result.verdicts)
        return " ".join([self.devices.of(clean(result.profile.id)), *metrics])

    @property
    def statuses(self) -> Sequence[str]:
        """In the order of the filter."""
        return [status.value for status in WORST_FIRST]

    def rules(self) -> str:
        """The style sheet: what is not chosen is not displayed."""
        lines = [
            f"{_FILTERS}:has(#show-{one}:not(:checked)) ~ section :is(.check, .row).is-{one} {_HIDDEN}"
            for one in self.statuses
        ]
        for control, names in (("device", self.devices), ("metric", self.metrics)):
            lines += [
                f'{_FILTERS}:has(#{control} option[value="{name}"]:checked) ~ section :is(.check, .row):not(.{name}) '
                f"{_HIDDEN}"
                for name in names.known.values()
            ]
        return "\n".join(lines)


def highlights(keys: Names) -> str:
    """The style sheet that marks a data point wherever its check shows it, while a pointer or the focus is on it."""
    return "\n".join(
        f".drawn:has(.{name}:is(:hover, :focus-within)) .{name} "
        "{ background: var(--raised); font-weight: 700; stroke-width: 4; }"
        for name in keys.known.values()
    )
