"""When a percentile is within its limit, when it is beyond, and when measuring must go on.

A latency percentile is judged by counting exceedances: inferences slower than the limit. "p90 is within 50 ms" says
that at most one inference in ten exceeds 50 ms. A table names the counts at which measuring may end; it is made so
that, over all its looks together, a wrong pass and a wrong fail each have at most the stated probability
(docs/explanation/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import mul
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import edgecheck_agent.statistics as shared
from edgecheck.core import statistics

if TYPE_CHECKING:
    from edgecheck.core.run import LookCount

#: The largest probability of a wrong pass, and of a wrong fail, over all looks at one limit.
ERROR = 0.01

#: A disturbance slows this many inferences in a row, or those within this many seconds, whichever are fewer, until the
#: latencies show longer ones.
BURST_COUNT = 20
BURST_TIME = 0.25

#: Seconds that must be measured before a limit passes: with the rest of a check, 12.
LEAST_TIME = 9.5

Decision = Literal["pass", "fail", ""]

#: Fewer observations never fail a limit, so that a single disturbance does not.
_FIRST = 8
#: From one look to the next the observations grow by this factor: before a pass is possible, and after.
_APPROACH = 1.5
_GROWTH = 1.25
#: A table ends where this many exceedances, in variance, have been seen: it then resolves 9 % of the share.
_VARIANCE = 1000
#: Of the error, what the looks before the first possible pass may spend on fails, and what that look may spend.
_EARLY = 0.05
_AT_FIRST = 0.5


class Look(NamedTuple):
    """One row of a table."""

    n: int
    """Observations: blocks of inferences."""
    pass_at_most: int
    """Pass with no more exceedances than this; -1 where nothing passes yet."""
    fail_at_least: int
    """Fail with this many exceedances or more; over n where nothing fails yet."""


@lru_cache(maxsize=32)
def look_table(quantile: float, *, error: float = ERROR) -> tuple[Look, ...]:
    """The looks at a limit on `quantile` (0.9 for p90), fewest observations first.

    The count of exceedances walks upwards as observations come in. Its distribution at the boundary (exactly
    1 - quantile of the inferences exceed) is carried from look to look, and what has passed or failed is taken out, so
    the probabilities are exact; a model on either side of the boundary errs less. The error is spent along
    1 - (1 - share at the first look) / sqrt(n / n of the first look), after Lan and DeMets, Biometrika 70 (1983).

    Raises `ValueError` for a quantile outside 0 to 1 or an error outside 0 to 0.5.
    """
    return tuple(_looks(quantile, error))


@lru_cache(maxsize=128)
def _first_looks(quantile: float, error: float, observations: int) -> tuple[Look, ...]:
    """The looks of `look_table` up to the first with as many observations: the last ones take most of the time."""
    first: list[Look] = []
    for look in _looks(quantile, error):
        first.append(look)
        if look.n >= observations:
            break
    return tuple(first)


def _looks(quantile: float, error: float) -> Iterator[Look]:
    if not (0 < quantile < 1 and 0 < error < 0.5):  # noqa: PLR2004 - the ends of a probability
        raise ValueError(f"no table of looks for quantile {quantile} and error {error}")
    exceed = 1 - quantile
    # A limit is checked again after its decision: a pass may yet become a fail, for which this share is kept.
    spent = error * (1 - error)
    first_pass = max(_FIRST, fewest_without(exceed, spent * _AT_FIRST))
    walk = _Walk(exceed, spent)
    for n in _schedule(first_pass, exceed):
        passing, failing = _spending(n, first_pass)
        yield walk.look(n, passing, failing)


def decide(count: LookCount, table: Sequence[Look]) -> Decision:
    """The agent's decision on one limit if its counts support it; empty where nothing is decided.

    The agent may withhold a decision that the counts alone would allow, because of a trend in the latencies.
    """
    counted = judge(count.exceedances, count.inferences, count.block, table)
    return counted if counted == count.decision else ""


def judge(exceedances: int, inferences: int, block: int, table: Sequence[Look]) -> Decision:
    """The rule itself: `inferences // block` observations, of which `exceedances / block` exceed.

    The agent applies it to the same table: see `edgecheck_agent.statistics.decide`.
    """
    return cast("Decision", shared.decide((exceedances, exceedances), inferences, block, table))


def quantile_bounds(
    latencies: Sequence[float], quantile: float, *, block: int | None = None, error: float = ERROR
) -> tuple[float | None, float | None]:
    """The lower and the upper confidence bound of a quantile of `latencies` (seconds, in order of time).

    Both are order statistics, by the table of looks: a limit at or over the upper bound passes and one under the lower
    bound fails, so each is wrong with a probability of at most `error` although measuring ended at a look. `block`
    is what the agent counted in; without it, it is taken from the latencies. None where they are too few (or, for the
    lower bound, more than the table has looks for).
    """
    ordered = statistics.ordered(tuple(latencies))
    n = len(ordered)
    block = block_length(latencies, quantile) if block is None else block
    # Rounded up to a power of two, so that few tables are kept for many lengths.
    table = _first_looks(quantile, error, 1 << (n // block).bit_length())
    before, after = shared.rows_around(n, block, table)
    low = high = None
    if after is not None and after.fail_at_least * block <= n:
        low = ordered[n - after.fail_at_least * block]
    if before is not None and before.pass_at_most >= 0:
        high = ordered[n - 1 - before.pass_at_most * block]
    return low, high


def block_length(latencies: Sequence[float], quantile: float) -> int:
    """Inferences that count as one observation: `least_block`, or more where bursts are longer."""
    if not latencies:
        return 1
    value = statistics.percentile(latencies, quantile)
    shown = statistics.autocorrelation_time([latency > value for latency in latencies])
    return max(least_block(statistics.median(statistics.ordered(tuple(latencies)))), math.ceil(shown))


def least_block(latency: float) -> int:
    """Inferences of `latency` seconds that count as one observation while no longer disturbance is seen."""
    return shared.least_block(latency, BURST_TIME, BURST_COUNT)


def inferences_needed(quantile: float, block: int = 1) -> int:
    """The fewest inferences after which a limit on `quantile` can pass: none of them exceeds it."""
    return block * next(look.n for look in look_table(quantile) if look.pass_at_most >= 0)


def for_agent(limit: str, quantile: float, bound: float, span: float, least: float | None = None) -> dict[str, object]:
    """What the agent needs to decide one limit (docs/reference/agent-protocol.md).

    `bound` is in seconds. `span` is the time allowed, and `least` the time before which nothing passes, by default
    `LEAST_TIME`; neither is more than the time allowed.
    """
    return {
        "id": limit,
        "quantile": quantile,
        "bound_s": bound,
        "span_s": span,
        "least_s": min(LEAST_TIME if least is None else least, span),
        "burst_s": BURST_TIME,
        "burst_count": BURST_COUNT,
        "table": [[look.n, look.pass_at_most, look.fail_at_least] for look in look_table(quantile)],
    }


def _schedule(first_pass: int, exceed: float) -> Iterator[int]:
    n = float(_FIRST)
    while n < first_pass / math.sqrt(_APPROACH):
        yield math.ceil(n)
        n *= _APPROACH
    n = float(first_pass)
    while n * exceed * (1 - exceed) <= _VARIANCE:
        yield math.ceil(n)
        n *= _GROWTH


def _spending(n: int, first_pass: int) -> tuple[float, float]:
    """Shares of the error that wrong passes and wrong fails may have spent by the look at `n`."""
    if n < first_pass:
        return 0.0, _EARLY * n / first_pass
    share = 1 - (1 - _AT_FIRST) * math.sqrt(first_pass / n)
    return share, share


class _Walk:
    """The distribution of the exceedances of an undecided model at the boundary."""

    def __init__(self, exceed: float, error: float) -> None:
        self._exceed = exceed
        self._error = error
        self._n = 0
        self._least = 0
        self._mass = [1.0]
        self._passed = self._failed = 0.0
        self._last = Look(0, -1, 1)

    def look(self, n: int, passing: float, failing: float) -> Look:
        start, steps = probabilities(n - self._n, self._exceed)
        mass = convolved(self._mass, steps)
        least = self._least + start
        below, above = 0, len(mass)
        while below < above and self._passed + mass[below] <= self._error * passing:
            self._passed += mass[below]
            below += 1
        while (
            above > max(below, self._last.fail_at_least - least)
            and self._failed + mass[above - 1] <= self._error * failing
        ):
            above -= 1
            self._failed += mass[above]
        self._n, self._least, self._mass = n, least + below, mass[below:above]
        # No undecided walk has as few exceedances as passed at the look before.
        most = least + below - 1 if below else self._last.pass_at_most
        self._last = Look(n, most, least + above)
        return self._last


#: Standard deviations kept on either side of the mean; the mass left out is below 1e-15.
_REACH = 8.5


def probabilities(n: int, p: float) -> tuple[int, list[float]]:
    """The binomial distribution: the first count k whose probability among `n` is worth keeping, and those from k on.

    P(K = k) = n! / (k! (n-k)!) p^k (1-p)^(n-k), through the logarithm of the gamma function. `p` is between 0 and 1,
    both excluded. The far ends are left out: each has a probability of less than 1e-15.
    """
    width = _REACH * math.sqrt(n * p * (1 - p)) + _REACH**2 / 3
    first, last = max(0, math.ceil(n * p - width)), min(n, math.floor(n * p + width))
    hit, miss, ways = math.log(p), math.log1p(-p), math.lgamma(n + 1)
    return first, [
        math.exp(ways - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * hit + (n - k) * miss)
        for k in range(first, last + 1)
    ]


def convolved(one: list[float], other: list[float]) -> list[float]:
    """Probabilities of the sum of two independent counts that both start at zero."""
    short, long = sorted((one, other), key=len)
    mirrored = short[::-1]
    padded = [0.0] * (len(short) - 1) + long + [0.0] * (len(short) - 1)
    return [sum(map(mul, mirrored, padded[at : at + len(short)])) for at in range(len(one) + len(other) - 1)]


def fewest_without(p: float, error: float) -> int:
    """The least n of which none exceeds with a probability of at most `error`: (1-p)^n <= error."""
    return math.ceil(math.log(error) / math.log1p(-p) - 1e-9)
