"""Limits and rules on growth that are written on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from edgecheck.config.problems import did_you_mean
from edgecheck.core.limits import Limit, Source
from edgecheck.core.metrics import METRICS, Metric
from edgecheck.core.units import Unit, parse
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.core.limits import Allowance

#: How a limit is switched off, as in YAML.
_OFF = ("off", "false")
#: Sizes above zero.
_SHAPE = re.compile(r"0*[1-9][0-9]{0,9}(,0*[1-9][0-9]{0,9})*")
_SHAPE_EXAMPLE = "Write a name and its sizes: --input image=1,224,224,3"
_SOURCE = Source("command line")
_LIMIT_EXAMPLE = "Write a metric and its bound: --limit ram_peak=80MiB"
_GROWTH_EXAMPLE = "Write a metric, a share, and a change that is always allowed: --growth latency_p50=10%,2ms"


def limits_from_texts(texts: Iterable[str]) -> dict[str, Limit | None]:
    """The limits of `--limit METRIC=VALUE`, by metric; None for one that is switched off.

    Raises:
        UsageError: there is no such metric, the value does not have its unit, or a metric is given twice.
    """
    limits: dict[str, Limit | None] = {}
    for text in texts:
        name, limit = _limit(text)
        if name in limits:
            raise UsageError(f"--limit {text}: {name} is given twice.", "Leave one of them out.")
        limits[name] = limit
    return limits


def shapes_from_texts(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of `--input NAME=1,224,224,3`, by input.

    Raises:
        UsageError: a name or a size is missing, is zero, or a name is given twice.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        if not (name and _SHAPE.fullmatch(sizes)):
            raise UsageError(f"--input {text} has no shape.", _SHAPE_EXAMPLE)
        if name in shapes:
            raise UsageError(f"--input {text}: {name} is given twice.", "Leave one of them out.")
        shapes[name] = tuple(map(int, sizes.split(",")))
    return shapes


def _limit(text: str) -> tuple[str, Limit | None]:
    metric, bound = _metric_and_rest("--limit", text, _LIMIT_EXAMPLE)
    if bound.lower() in _OFF:
        return metric.name, None
    try:
        value = parse(bound, metric.unit)
    except ValueError as error:
        raise UsageError(f"--limit {text}: {error}", _LIMIT_EXAMPLE) from error
    if metric.unit is Unit.RATIO and value > 1:
        raise UsageError(f"--limit {text}: {bound!r} is more than 1; expected a share from 0 to 1", _LIMIT_EXAMPLE)
    return metric.name, Limit(metric=metric, error=value, source=_SOURCE)


def allowance_from_text(text: str) -> Allowance:
    """The rule of `--growth METRIC=SHARE[,LEAST]`.

    Raises:
        UsageError: there is no such metric, or a value does not have its unit.
    """
    from edgecheck.core.limits import Allowance  # most commands compare nothing

    metric, rule = _metric_and_rest("--growth", text, _GROWTH_EXAMPLE)
    share, _, floor = rule.partition(",")
    try:
        growth, least = parse(share, Unit.RATIO), parse(floor, metric.unit) if floor else 0.0
    except ValueError as error:
        raise UsageError(f"--growth {text}: {error}", _GROWTH_EXAMPLE) from error
    return Allowance(metric=metric, growth=growth, source=_SOURCE, floor=least)


def _metric_and_rest(option: str, text: str, example: str) -> tuple[Metric, str]:
    """The metric that `METRIC=REST` names, and the rest.

    Raises:
        UsageError: there is no equals sign, or no such metric; `example` is the hint.
    """
    name, separator, rest = (part.strip() for part in text.partition("="))
    if not separator:
        raise UsageError(f"{option} {text} has no value.", example)
    metric = METRICS.get(name)
    if metric is None:
        advice = did_you_mean(name, METRICS) or f"; expected {', '.join(METRICS)}"
        raise UsageError(f"{option} {text}: unknown metric {name!r}{advice}", example)
    return metric, rest
