"""Growth from a baseline that is allowed on the command line."""

from __future__ import annotations

from edgecheck.config.command_line import metric_and_rest
from edgecheck.core.allowance import Allowance
from edgecheck.core.limits import Source
from edgecheck.core.units import Unit, parse
from edgecheck.errors import UsageError

_EXAMPLE = "Write a metric, a share, and a change that is always allowed: --growth latency_p50=10%,2ms"


def allowance_from_text(text: str) -> Allowance:
    """The rule that `--growth METRIC=SHARE[,ATLEAST]` sets.

    Raises:
        UsageError: there is no such metric, or a value is none of its unit.
    """
    metric, rule = metric_and_rest("--growth", text, _EXAMPLE)
    share, _, floor = rule.partition(",")
    try:
        growth, least = parse(share, Unit.RATIO), parse(floor, metric.unit) if floor else 0.0
    except ValueError as error:
        raise UsageError(f"--growth {text}: {error}", _EXAMPLE) from error
    return Allowance(metric, growth, Source("command line"), least)
