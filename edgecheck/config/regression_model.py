"""The `regression:` of budgets: how much each metric may grow from a baseline, made from the table of metrics."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Discriminator, Field, Tag, create_model, model_validator
from typing_extensions import TypeAliasType

from edgecheck.config.fields import Section, key, one_of, quantity
from edgecheck.config.limit_model import BOUNDS
from edgecheck.config.tree import MappingNode
from edgecheck.core.comparability import Allowance
from edgecheck.core.limits import OnUnknown, Source
from edgecheck.core.metrics import METRICS, Direction
from edgecheck.core.units import TAKES, Unit

if TYPE_CHECKING:
    from typing_extensions import Self

    from edgecheck.config.tree import Node
    from edgecheck.core.metrics import Metric

#: A share that may be more than the whole: a metric can more than double.
_Growth = Annotated[float, quantity(Unit.RATIO)]


class Growth(Section):
    """The parts of a rule that do not depend on the metric's unit."""

    growth: _Growth = key("Share of the baseline that it may grow by; by default 0.", "10%", default=0.0)
    on_unknown: Annotated[str, one_of(*(rule.value for rule in OnUnknown))] = key(
        "What becomes of the rule when it could not be decided; `unknown` ends with exit code 3.",
        "warn",
        default=OnUnknown.UNKNOWN.value,
    )

    @model_validator(mode="after")
    def _allows_something(self) -> Self:
        if not {"growth", "atleast"} & self.model_fields_set:
            raise ValueError("says no growth; takes growth, atleast or both")
        return self


@cache
def _rule_type(unit: Unit) -> Any:
    bound, example = BOUNDS[unit]
    parts: Any = create_model(
        f"Growth_{unit.value}",
        __base__=Growth,
        __doc__="`growth`, `atleast` or both; of the two the more generous holds.",
        atleast=(bound, key(f"A change of no more is no regression. Takes {TAKES[unit]}.", example, default=0.0)),
    )
    rule = Annotated[
        Annotated[_Growth, Tag("<share>")] | Annotated[parts, Tag("<parts>")],
        Discriminator(lambda raw: "<parts>" if isinstance(raw, dict) else "<share>"),
    ]
    return TypeAliasType(f"Growth_of_{unit.value}", rule)  # named, as limits are


def _field(metric: Metric) -> Any:
    word = "fall" if metric.direction is Direction.AT_LEAST else "grow"
    description = f"It may {word} by this share of the baseline, such as 1%; or {{growth:, atleast:}}."
    return (_rule_type(metric.unit), Field(default=None, description=description))


#: `regression:` as a pydantic model, one key per metric.
Regressions: type[Section] = cast(
    "type[Section]",
    create_model(
        "Regressions",
        __base__=Section,
        __doc__="Growth from a baseline by metric.",
        **{name: _field(metric) for name, metric in METRICS.items()},
    ),
)


def allowances_in(section: Section | None, node: Node | None) -> tuple[Allowance, ...]:
    """The rules of a validated section, in the order of reports.

    Args:
        section: An instance of `Regressions`; None where the key is absent or empty.
        node: The section's place in the file.
    """
    if section is None or not isinstance(node, MappingNode):
        return ()
    return tuple(
        _allowance(metric, getattr(section, name), node.entries[name].key.place.file, node.entries[name].key.place.line)
        for name, metric in METRICS.items()
        if name in section.model_fields_set
    )


def _allowance(metric: Metric, value: Any, file: str, line: int) -> Allowance:
    source = Source("budget", file, line)
    if not isinstance(value, Growth):
        return Allowance(metric=metric, growth=value, source=source)
    floor = value.atleast  # type: ignore[attr-defined] # its type depends on the unit
    return Allowance(
        metric=metric, growth=value.growth, source=source, floor=floor, on_unknown=OnUnknown(value.on_unknown)
    )
