"""The `regression:` of budgets: how much each metric may grow from a baseline, made from the table of metrics."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from edgecheck.config.kinds import Either, mapping_or, one_of, quantity
from edgecheck.config.limit_model import BOUNDS
from edgecheck.config.schema import Section, key
from edgecheck.config.tree import MappingNode
from edgecheck.core.comparability import Allowance
from edgecheck.core.limits import OnUnknown, Source
from edgecheck.core.metrics import METRICS, Direction, Metric
from edgecheck.core.units import TAKES, Unit

if TYPE_CHECKING:
    from edgecheck.config.tree import Node

#: A share that may be over 1: a metric can more than double.
_SHARE = quantity(Unit.RATIO)


class Growth(Section):
    """The parts of a rule that do not depend on the metric's unit."""

    atleast: float
    growth: float = key(
        _SHARE, "How much the metric may grow, as a share of the baseline; by default 0.", "10%", default=0.0
    )
    on_unknown: str = key(
        one_of(*(rule.value for rule in OnUnknown)),
        "What an undecided rule counts as; `unknown` ends with exit code 3.",
        "warn",
        default=OnUnknown.UNKNOWN.value,
    )

    def problem(self) -> str:
        """That there is no growth."""
        return "" if {"growth", "atleast"} & self.given else "sets no growth; expected growth, atleast or both"


@cache
def _rule_kind(unit: Unit) -> Either:
    bound, example = BOUNDS[unit]
    parts: dict[str, Any] = {
        "__doc__": "`growth`, `atleast` or both; the more generous of the two applies.",
        "atleast": key(bound, f"A smaller change is never a regression. Takes {TAKES[unit]}.", example, default=0.0),
    }
    section: type[Growth] = type(f"Growth_{unit.value}", (Growth,), parts)
    return mapping_or(_SHARE, section, f"Growth_of_{unit.value}")


def _key(metric: Metric) -> Any:
    word = "fall" if metric.direction is Direction.AT_LEAST else "grow"
    description = f"It may {word} by this share of the baseline, such as 1%; or {{growth:, atleast:}}."
    return key(_rule_kind(metric.unit), description, default=None)


#: `regression:`, one key per metric.
Regressions: type[Section] = type(
    "Regressions",
    (Section,),
    {"__doc__": "Growth from a baseline by metric.", **{name: _key(metric) for name, metric in METRICS.items()}},
)


def allowances_in(section: Section | None, node: Node | None) -> tuple[Allowance, ...]:
    """The rules of a section, in the order of reports.

    Args:
        section: An instance of `Regressions`; None where the key is absent or empty.
        node: The section's place in the file.
    """
    if section is None or not isinstance(node, MappingNode):
        return ()
    return tuple(
        _allowance(metric, getattr(section, name), node.entries[name].key.place.file, node.entries[name].key.place.line)
        for name, metric in METRICS.items()
        if name in section.given
    )


def _allowance(metric: Metric, value: Any, file: str, line: int) -> Allowance:
    source = Source("budget", file, line)
    if not isinstance(value, Growth):
        return Allowance(metric, value, source)
    return Allowance(metric, value.growth, source, value.atleast, OnUnknown(value.on_unknown))
