"""The `limits:` of budgets and profiles: one schema, made from the table of metrics."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import ConfigDict, Discriminator, Field, Tag, create_model, model_validator
from typing_extensions import TypeAliasType

from edgecheck.config.fields import Bytes, Number, Reads, Seconds, Section, Share, key, one_of
from edgecheck.config.tree import MappingNode
from edgecheck.core.limits import Limit, OnUnknown, Source
from edgecheck.core.metrics import METRICS, Direction
from edgecheck.core.units import TAKES, Unit

if TYPE_CHECKING:
    from typing_extensions import Self

    from edgecheck.config.tree import Node
    from edgecheck.core.metrics import Metric

#: What a value of each unit is read as, and an example.
BOUNDS: dict[Unit, tuple[Any, str]] = {
    Unit.BYTES: (Bytes, "80 MiB"),
    Unit.SECONDS: (Seconds, "50 ms"),
    Unit.COUNT: (Number, "200_000_000"),
    Unit.RATIO: (Share, "0.99"),
}


class Levels(Section):
    """The parts of a limit that do not depend on its unit."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["error"]}, {"required": ["warn"]}]}
    )

    on_unknown: Annotated[str, one_of(*(rule.value for rule in OnUnknown))] = key(
        "What becomes of the limit when it could not be decided; `unknown` ends with exit code 3.",
        "warn",
        default=OnUnknown.UNKNOWN.value,
    )
    projected: Annotated[str, one_of("interval", "point")] = key(
        "What of a projected latency is judged: the whole interval, or the estimate alone.",
        "point",
        default="interval",
    )

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if not {"warn", "error"} & self.model_fields_set:
            raise ValueError("sets no bound; takes warn, error or both")
        return self


# `_kind` sends nothing here but `off` and false.
_OFF = Annotated[
    Literal[False], Reads(lambda _raw: False, {"enum": [False, "off"], "description": "Do not judge this metric."})
]


def _kind(raw: object) -> str:
    """Which of a limit's three forms this is; the names are no key of any, so that they stay out of paths."""
    if isinstance(raw, dict):
        return "<levels>"
    return "<off>" if raw is False or raw == "off" else "<bound>"


@cache
def _limit_type(unit: Unit) -> Any:
    bound: Any
    bound, example = BOUNDS[unit]
    levels: Any = create_model(
        f"Levels_{unit.value}",
        __base__=Levels,
        __doc__=f"`warn`, `error` or both; each takes {TAKES[unit]}.",
        error=(bound, key(f"Beyond it the check fails. Takes {TAKES[unit]}.", example, default=None)),
        warn=(bound, key(f"Beyond it the check warns. Takes {TAKES[unit]}.", example, default=None)),
    )
    limit = Annotated[
        Annotated[bound, Tag("<bound>")] | Annotated[levels, Tag("<levels>")] | Annotated[_OFF, Tag("<off>")],
        Discriminator(_kind),
    ]
    return TypeAliasType(f"Limit_{unit.value}", limit)  # named, so that pydantic and the JSON Schema hold it once


def _field(metric: Metric) -> Any:
    side = "At least this" if metric.direction is Direction.AT_LEAST else "At most this"
    description = f"{side}: {metric.title}. Takes {TAKES[metric.unit]}; or {{warn:, error:}}; or off."
    return (_limit_type(metric.unit), Field(default=None, description=description))


#: `limits:` as a pydantic model, one key per metric.
Limits: type[Section] = cast(
    "type[Section]",
    create_model(
        "Limits",
        __base__=Section,
        __doc__="Bounds by metric.",
        **{name: _field(metric) for name, metric in METRICS.items()},
    ),
)


def limits_in(section: Section | None, node: Node | None, kind: str) -> dict[str, Limit | None]:
    """The limits of a validated section by metric, None for one that is switched off.

    Args:
        section: An instance of `Limits`; None where the key is absent or empty.
        node: The section's place in the file.
        kind: `budget` or `profile`, for `Source`.
    """
    if section is None or not isinstance(node, MappingNode):
        return {}
    limits: dict[str, Limit | None] = {}
    for name in section.model_fields_set:
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
        error=value.error,  # type: ignore[attr-defined] # the bounds' type depends on the unit
        source=source,
        warn=value.warn,  # type: ignore[attr-defined]
        on_unknown=OnUnknown(value.on_unknown),
        projected_point=value.projected == "point",
    )
