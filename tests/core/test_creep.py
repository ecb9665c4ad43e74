"""A metric that creeps to its limit is named with the month in which it fails; everything else is not."""

from __future__ import annotations

import random

import pytest

from edgecheck.core.creep import creep, creeping, trend_of
from edgecheck.core.history import Series
from tests.core.test_history import KEY, series

CREEPS = [700_000 + 9_000 * at for at in range(30)]


def test_the_month_in_which_it_will_fail() -> None:
    (caveat,) = creeping([series(CREEPS, limit=1e6, days=9)])
    assert caveat.code == "creeping"
    assert caveat.message == (
        "size grew from 700 kB to 961 kB in 29 steps since March 2026, each within the limit of 1.00 MB; at this rate "
        "it exceeds the limit in December 2026."
    )
    assert caveat.advice == "See the commits: edgecheck history show --metric size"


def test_a_metric_that_must_not_fall() -> None:
    falling = [0.999 - 0.001 * at for at in range(10)]
    (caveat,) = creeping([series(falling, KEY._replace(metric="agreement"), limit=0.985, days=9)])
    assert "agreement fell from 0.999 to 0.99 in 9 steps" in caveat.message
    assert "falls below the limit in " in caveat.message


def _with_one_step() -> list[float]:
    return [700_000.0] * 10 + [701_000.0, 702_000.0, 950_000.0] + [950_000.0] * 10


@pytest.mark.parametrize(
    "one",
    [
        series(CREEPS, limit=1e6, days=0.1),  # within three days
        series(CREEPS[:4], limit=1e6, days=9),  # too few
        series(CREEPS, limit=1e9, days=9),  # not within a year
        series(CREEPS, days=9),  # no limit
        series(CREEPS, limit=1e6, days=9, status="fail"),
        series(CREEPS[::-1], limit=1e6, days=9),  # it shrinks
        series([700_000.0] * 30, limit=1e6, days=9),
        series(_with_one_step(), limit=1e6, days=9),  # one commit did it, and its check showed it
        series(CREEPS, KEY._replace(metric="of a later version"), limit=1e6, days=9),
    ],
)
def test_nothing_else_creeps(one: Series) -> None:
    assert creep(one) is None


def test_only_what_came_after_the_last_failure_counts() -> None:
    one = series(CREEPS, limit=1e6, days=9)
    failed = Series(one.key, (*(each._replace(status="fail") for each in one.readings[:20]), *one.readings[20:]))
    found = creep(failed)
    assert found is not None
    assert found.first.at == one.readings[20].at


def test_noise_does_not_creep() -> None:
    source = random.Random(2)
    measured = KEY._replace(metric="latency_p50", provenance="measured")
    many = (series([source.gauss(10, 0.2) for _ in range(30)], measured, limit=10.8, days=9) for _ in range(100))
    assert sum(creep(one) is not None for one in many) <= 3


def test_a_trend_has_moments_steps_and_creep() -> None:
    trend = trend_of(series(CREEPS, limit=1e6, days=9))
    assert (len(trend.moments), len(trend.steps)) == (30, 29)
    assert trend.creep is not None
