"""A metric that creeps to its limit in steps which each pass: since when, and the month in which it will fail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from edgecheck.core.caveats import Caveat
from edgecheck.core.history import Moment, Series, Step, is_worse, moments, steps
from edgecheck.core.metrics import METRICS, Direction

#: Moments that a trend needs, the worse ones among them, and those that are looked at: the last ones.
LEAST, _LEAST_WORSE, _MOST = 5, 3, 60

#: Days that they must cover; the days ahead in which a limit that will fail is worth a word.
_LEAST_DAYS, _HORIZON = 14, 366

#: The probability of a trend in noise (one-sided), and the share of the total change that one step may be: with more,
#: it is that step that a person must look at, and the check of its commit showed it.
_LEVEL, _ONE_STEP = 0.01, 0.75

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creep:
    """A trend towards a limit."""

    first: Moment
    last: Moment
    steps: int
    """How often the metric became worse."""
    limit: float
    reached: datetime
    """When the limit is reached at this rate."""


def creep(series: Series) -> Creep | None:
    """The trend of a series whose every moment held its limit; None where there is none that reaches it within a year.

    The rate is the median of the slopes between all pairs (Theil 1950; Sen, Journal of the American Statistical
    Association 63 (1968) 1379), and whether it is a trend is decided by the test of Mann, Econometrica 13 (1945) 245,
    and Kendall with the correction for ties.
    """
    metric = METRICS.get(series.key.metric)
    every = _held(moments(series))[-_MOST:]
    if metric is None or len(every) < LEAST:
        return None
    last, limit = every[-1], every[-1].limit
    days = [_day(moment.at) for moment in every]
    if limit is None or days[-1] - days[0] < _LEAST_DAYS:
        return None
    sign = -1.0 if metric.direction is Direction.AT_LEAST else 1.0
    values = [sign * moment.value for moment in every]
    rises = [after - before for before, after in itertools.pairwise(values) if after > before]
    whole = values[-1] - values[0]
    if len(rises) < _LEAST_WORSE or whole <= 0 or max(rises) > _ONE_STEP * whole or not _is_trend(values):
        return None
    slope = median(_slopes(days, values))
    left = (sign * limit - values[-1]) / slope if slope > 0 else math.inf
    if not 0 <= left <= _HORIZON:
        return None
    reached = datetime.fromisoformat(last.at) + timedelta(days=left)
    return Creep(first=every[0], last=last, steps=len(rises), limit=limit, reached=reached)


def _held(every: Sequence[Moment]) -> list[Moment]:
    """The moments since the limit last failed, or was not there."""
    held: list[Moment] = []
    for moment in every:
        held = [*held, moment] if moment.limit is not None and moment.status in ("pass", "warn") else []
    return held


def _day(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() / 86_400


def _slopes(days: Sequence[float], values: Sequence[float]) -> list[float]:
    return [
        (values[later] - values[earlier]) / (days[later] - days[earlier])
        for later in range(len(days))
        for earlier in range(later)
        if days[later] > days[earlier]
    ]


def _is_trend(values: Sequence[float]) -> bool:
    """Whether later values are larger more often than chance allows: Mann and Kendall's test, one-sided."""
    count = len(values)
    score = sum((b > a) - (b < a) for at, b in enumerate(values) for a in values[:at])
    ties = [values.count(value) for value in set(values)]
    variance = (count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    if variance <= 0:
        return False
    probability = math.erfc((score - 1) / math.sqrt(variance) / math.sqrt(2)) / 2
    return probability <= _LEVEL


def creeping(every: Iterable[Series]) -> list[Caveat]:
    """A caveat for each series that creeps to its limit."""
    return [_caveat(series, found) for series in every if (found := creep(series)) is not None]


def _caveat(series: Series, found: Creep) -> Caveat:
    show, metric = series.show, series.key.metric
    verb = "grew" if is_worse(None, found.first.value, found.last.value) else "fell"
    verb_then = "exceeds" if verb == "grew" else "falls below"
    return Caveat(
        "creeping",
        f"{metric} {verb} from {show(found.first.value)} to {show(found.last.value)} in {found.steps} steps since "
        f"{month_of(datetime.fromisoformat(found.first.at))}, each within the limit of {show(found.limit)}; at this "
        f"rate it {verb_then} the limit in {month_of(found.reached)}.",
        f"See the commits: edgecheck history show --metric {metric}",
    )


def month_of(when: datetime) -> str:
    """The month in words, in every locale: `March 2027`."""
    return f"{_MONTHS[when.month - 1]} {when.year}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A series and what happened in it."""

    series: Series
    moments: tuple[Moment, ...]
    steps: tuple[Step, ...]
    creep: Creep | None


def trend_of(series: Series) -> Trend:
    """The trend of a series with at least one reading."""
    every = moments(series)
    return Trend(series=series, moments=tuple(every), steps=tuple(steps(series, every)), creep=creep(series))
