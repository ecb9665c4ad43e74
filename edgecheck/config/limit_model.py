"""The `limits:` of budgets and profiles, and the `regression:` of budgets: sections made from the table of metrics."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from edgecheck.config.kinds import BYTES, NUMBERS, SECONDS, SHARE, Either, OrNothing, Value, one_of, quantity
from edgecheck.config.schema import Kind, Section, key
from edgecheck.config.tree import MappingNode, Scalar
from edgecheck.core.limits import Allowance, Limit, OnUnknown, Source
from edgecheck.core.metrics import METRICS, Direction, Metric
from edgecheck.core.units import TAKES, Unit

if TYPE_CHECKING:
    from edgecheck.config.tree import Node

#: What a value of each unit is read as, and an example.
BOUNDS: dict[Unit, tuple[Value, str]] = {
    Unit.BYTES: (BYTES, "80 MiB"),
    Unit.SECONDS: (SECONDS, "50 ms"),
    Unit.COUNT: (NUMBERS, "200_000_000"),
    Unit.RATIO: (SHARE, "0.99"),
}

_OFF = Value(lambda _raw: False, {"enum": [False, "off"], "description": "Do not judge this metric."})


class Levels(Section):
    """The parts of a limit that do not depend on its unit."""

    also: ClassVar[dict[str, Any]] = {"anyOf": [{"required": ["error"]}, {"required": ["warn"]}]}

    error: float | None
    warn: float | None
    on_unknown: str = key(
        one_of(*(rule.value for rule in OnUnknown)),
        "What an undecided limit counts as; `unknown` ends with exit code 3.",
        "warn",
        default=OnUnknown.UNKNOWN.value,
    )
    projected: str = key(
        one_of("interval", "point"),
        "What is judged of a projected latency: the entire interval, or only the estimate.",
        "point",
        default="interval",
    )

    def problem(self) -> str:
        """The error when there is no bound."""
        return "" if {"warn", "error"} & self.given else "sets no bound; expected warn, error or both"


@cache
def _limit_kind(unit: Unit) -> Either:
    bound, example = BOUNDS[unit]
    parts: dict[str, Any] = {
        "__doc__": f"`warn`, `error` or both; each takes {TAKES[unit]}.",
        "error": key(bound, f"Beyond it the check fails. Takes {TAKES[unit]}.", example, default=None),
        "warn": key(bound, f"Beyond it the check warns. Takes {TAKES[unit]}.", example, default=None),
    }
    levels: type[Levels] = type(f"Levels_{unit.value}", (Levels,), parts)
    return _value_section_or_off(bound, levels, f"Limit_{unit.value}")


def _value_section_or_off(value: Value, section: type[Section], name: str) -> Either:
    def choose(node: Node) -> Kind:
        if isinstance(node, MappingNode):
            return section
        is_off = isinstance(node, Scalar) and (node.value is False or node.value == "off")
        return _OFF if is_off else value

    return Either((Value(value.reader, _or_off(value.described)), section), choose, name)


def _or_off(quantity: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a quantity or off, without alternatives: of those, editors explain only the last one.

    It has no description, which editors would show instead of the metric's.
    """
    number, text = quantity["anyOf"]
    most = {"maximum": number["maximum"]} if "maximum" in number else {"maximum": 0} if "const" in number else {}
    return {
        "type": ["string", "number", "boolean"],
        "pattern": f"{text['pattern']}|^off$",
        "patternErrorMessage": f"{text['patternErrorMessage'].rstrip('.')}; or off.",
        "minimum": 0,
        **most,
        "not": {"const": True},
    }


def _limit_key(metric: Metric) -> Any:
    side = "At least this" if metric.direction is Direction.AT_LEAST else "At most this"
    description = f"{side}: {metric.title}. Takes {TAKES[metric.unit]}; or {{warn:, error:}}; or off."
    return key(_limit_kind(metric.unit), description, default=None)


#: `limits:`, one key per metric.
Limits: type[Section] = type(
    "Limits",
    (Section,),
    {"__doc__": "Bounds by metric.", **{name: _limit_key(metric) for name, metric in METRICS.items()}},
)


def limits_in(section: Section | None, node: Node | None, kind: str) -> dict[str, Limit | None]:
    """The limits of a section by metric, None for one that is switched off.

    Args:
        section: An instance of `Limits`; None where the key is absent or empty.
        node: The section's place in the file.
        kind: `budget` or `profile`, for `Source`.
    """
    if section is None or not isinstance(node, MappingNode):
        return {}
    limits: dict[str, Limit | None] = {}
    for name in section.given & METRICS.keys():
        place = node.entries[name].key.place
        limits[name] = _limit(METRICS[name], getattr(section, name), Source(kind, place.file, place.line))
    return limits


def _limit(metric: Metric, value: Any, source: Source) -> Limit | None:
    if value is False:
        return None
    if not isinstance(value, Levels):
        return Limit(metric=metric, error=value, source=source)
    return Limit(
        metric=metric,
        error=value.error,
        source=source,
        warn=value.warn,
        on_unknown=OnUnknown(value.on_unknown),
        projected_point=value.projected == "point",
    )


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
        "atleast": key(bound, f"A change up to this is never a regression. Takes {TAKES[unit]}.", example, default=0.0),
    }
    section: type[Growth] = type(f"Growth_{unit.value}", (Growth,), parts)
    return _value_section_or_off(_SHARE, section, f"Growth_of_{unit.value}")


def _rule_key(metric: Metric) -> Any:
    word = "fall" if metric.direction is Direction.AT_LEAST else "grow"
    description = f"It may {word} by this share of the baseline, such as 1%; or {{growth:, atleast:}}; or off."
    return key(_rule_kind(metric.unit), description, default=None)


#: `regression:`, one key per metric.
Regressions: type[Section] = type(
    "Regressions",
    (Section,),
    {
        "__doc__": "Growth from a baseline by metric.",
        **{name: _rule_key(metric) for name, metric in METRICS.items()},
    },
)


#: A device's entry under `devices:`: the limits of `limits:`, and `regression:`.
DeviceLimits: type[Section] = type(
    "DeviceLimits",
    (Limits,),
    {
        "__doc__": "Limits and rules on growth for one device; they override those of the budget.",
        "regression": key(
            OrNothing(Regressions),
            "How much each metric may grow on this device; overrides the budget's `regression:`.",
            {"size": "1%", "download": "off"},
            default=None,
        ),
    },
)


def allowances_in(section: Section | None, node: Node | None, *, is_shared: bool = True) -> dict[str, Allowance | None]:
    """The rules of a section by metric, in the order of reports; None for one that is switched off.

    Args:
        section: An instance of `Regressions`; None where the key is absent or empty.
        node: The section's place in the file.
        is_shared: Whether it is for every device of the budget.
    """
    if section is None or not isinstance(node, MappingNode):
        return {}
    rules: dict[str, Allowance | None] = {}
    for name in (name for name in METRICS if name in section.given):
        place = node.entries[name].key.place
        source = Source("budget", place.file, place.line)
        rules[name] = _allowance(METRICS[name], getattr(section, name), source, is_shared=is_shared)
    return rules


def _allowance(metric: Metric, value: Any, source: Source, *, is_shared: bool) -> Allowance | None:
    if value is False:
        return None
    if not isinstance(value, Growth):
        return Allowance(metric=metric, growth=value, source=source, is_shared=is_shared)
    return Allowance(
        metric=metric,
        growth=value.growth,
        source=source,
        floor=value.atleast,
        on_unknown=OnUnknown(value.on_unknown),
        is_shared=is_shared,
    )
