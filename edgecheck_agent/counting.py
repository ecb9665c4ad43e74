"""Counts the latencies beyond each limit and decides, by the host's table of looks, when a limit is settled.

Why these rules, and what they guarantee: docs/explanation/statistics.md.
"""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from edgecheck_agent import statistics

Report = Dict[str, Any]
Trend = Tuple[float, float]

# A trend ends where the slowest clock of a board is: 0.6 of 1.8 GHz on a Raspberry Pi 4.
FARTHEST = 3.0

# Fewer separate bursts do not show how long bursts last: exceedances are not divided by a block's length then.
ENOUGH_BURSTS = 5

# The parts of a run in each of which a decision must hold; a pass must also hold in the last tenth.
THIRDS = 3
TENTH = 10

# Student's t with statistics.PARTS - 2 degrees of freedom, one-sided 99.9 %: many looks must all hold.
TREND_T = 4.501

# Until the least time is over, each look has this many times the inferences of the one before: looking is a pause.
EARLY_GROWTH = 2

NO_PAUSE: Tuple[int, ...] = ()


class Waited(NamedTuple):
    """What each inference waited for a processor, in nanoseconds; empty where that is not known.

    It is `exact` if it was read before and after each inference of a single thread; else it is an upper bound.
    """

    values: Sequence[int] = ()
    exact: bool = False


NO_WAITING = Waited()


class Looks:
    """The limits on one series of latencies.

    Each of `looks` holds `id`, `quantile`, `bound_s`, `table` (rows `[n, a, r]`: after n blocks pass at no more than
    a exceedances, fail at r or more), `burst_s` and `burst_count` (the longest disturbance to expect before a longer
    one is seen), and may hold `least_s` (the time before which only a clear fail is decided) and `span_s` (the
    time allowed, over which a trend must not lead to another decision).
    """

    def __init__(self, looks: Sequence[Dict[str, Any]]) -> None:
        self._limits = [_Limit(look) for look in looks]

    @property
    def done(self) -> bool:
        """Whether every limit is decided, or at the end of its table."""
        return all(limit.done for limit in self._limits)

    @property
    def least_s(self) -> float:
        """Seconds before which a limit is still open, unless it clearly fails."""
        return max([limit.least / 1e9 for limit in self._limits] or [0.0])

    def feed(
        self,
        latencies_ns: Sequence[int],
        elapsed_ns: int = 0,
        pauses_ns: Sequence[int] = NO_PAUSE,
        waited: Waited = NO_WAITING,
    ) -> List[Report]:
        """Evaluate all latencies so far, in order, and report on each limit.

        A report has `id`, `n` (inferences), `exceedances`, `block` (inferences per observation), `decision` ("pass",
        "fail" or ""), `left_out` (inferences that waited, where the others decided) and `over_s`: the time measured,
        which is what the decision is about. That time is `elapsed_ns`, or the sum of the latencies if that is more. In
        `pauses_ns`, parts of it, no inference was timed: each counts as full of inferences beyond the limit.
        A decided limit is evaluated again; its last decision stands while the latencies still agree.
        """
        if latencies_ns:
            series = _Series(latencies_ns, elapsed_ns, pauses_ns, waited)
            for limit in self._limits:
                limit.look(series)
        return [limit.report for limit in self._limits]

    def next_look(self, n: int) -> int:
        """How many latencies the next look needs: more than `n`, or `n` if no look is left."""
        due = [limit.next_look(n) for limit in self._limits if not limit.done]
        return min(due) if due else n


class _Series:
    """All latencies so far, and the figures that every limit needs, computed when the first one does."""

    def __init__(self, latencies: Sequence[int], elapsed: int, pauses: Sequence[int], waited: Waited) -> None:
        self.latencies = latencies
        self.pauses = pauses
        self.elapsed = max(sum(latencies), elapsed)
        self.waited = waited
        waits = sum(waited.values)
        self.contended = waits > statistics.CONTENDED * self.elapsed
        self.relieved = self._without(waited.values) if waits else None
        self._shape: Optional[_Shape] = None

    def _without(self, waits: Sequence[int]) -> "_Series":
        """The inferences as if they had not waited."""
        net = [max(value - wait, 0) for value, wait in zip(self.latencies, waits)]  # noqa: B905 - Python 3.6
        return _Series(net, self.elapsed, self.pauses, NO_WAITING)

    def unhindered(self) -> List[int]:
        """The latencies of the inferences that did not wait."""
        return [value for value, wait in zip(self.latencies, self.waited.values) if not wait]  # noqa: B905 - see above

    @property
    def shape(self) -> "_Shape":
        if self._shape is None:
            self._shape = _Shape(self.latencies)
        return self._shape

    def unseen(self, bound: float) -> int:
        """The most inferences beyond `bound` that can have begun while none was timed."""
        return sum([1 + int(pause / max(bound, 1.0)) for pause in self.pauses])


class _Shape:
    """Median, trend, and the latencies without their trend."""

    def __init__(self, latencies: Sequence[int]) -> None:
        self.middle = statistics.median(latencies)
        self.trend = _trend(latencies)
        # Bursts are measured around the trend: with a rise, the end of a run exceeds together, but not by chance.
        slope = (self.trend[0] + self.trend[1]) / 2 * self.middle if len(latencies) >= statistics.PARTS else 0.0
        centre = (len(latencies) - 1) / 2.0
        self.level = [value - slope * (at - centre) for at, value in enumerate(latencies)]


class _Limit:
    """One limit, and the report on it."""

    def __init__(self, look: Dict[str, Any]) -> None:
        self.done = False
        counts = {"n": 0, "exceedances": 0, "block": 1, "left_out": 0}
        self.report: Report = dict(id=look["id"], decision="", over_s=0.0, **counts)
        self._bound: float = round(look["bound_s"] * 1e9, 3)  # 2.9 ms is 2899999.9999999995 ns in floats
        self._quantile: float = look["quantile"]
        self._table: List[List[int]] = look["table"]
        self._span: float = look.get("span_s", 0) * 1e9
        self.least: float = look.get("least_s", 0) * 1e9
        self._short = 0.0
        self._burst: Tuple[float, int] = (look["burst_s"] * 1e9, look["burst_count"])
        self._block = 1

    def look(self, series: _Series) -> None:
        n = len(series.latencies)
        seen, unseen = sum([value > self._bound for value in series.latencies]), series.unseen(self._bound)
        # A hundredth less is as good: what the clock saw is not quite the sum of what it timed.
        self._short = self.least / max(series.elapsed, 1) if series.elapsed < 0.99 * self.least else 0.0
        decision, counts = self._answer(series), {"n": n, "exceedances": seen, "left_out": 0}
        if not decision and not self._short and series.contended and series.waited.exact:
            decision, counts = self._of_the_unhindered(series, counts)
        if decision or not self._agrees(seen, n, unseen):
            span = round(series.elapsed / 1e9, 3)
            self.report = dict(self.report, decision=decision, over_s=span, block=self._block, **counts)
        self.done = bool(self.report["decision"]) or (n >= self._table[-1][0] * self._block and not self._short)

    def _answer(self, series: _Series) -> str:
        """The decision on all inferences; a fail must not be due to their waiting for a processor."""
        judge = self._early if self._short else self._decision
        decision = judge(series, self._bound)
        if decision != "fail" or series.relieved is None:
            return decision
        slower, block = statistics.SLOWER if series.contended else 1.0, self._block
        stays = judge(series.relieved, self._bound * slower) == "fail"
        self._block = block
        return "fail" if stays else ""

    def _of_the_unhindered(self, series: _Series, counts: Dict[str, int]) -> Tuple[str, Dict[str, int]]:
        """A pass of the inferences that never waited, if the others would pass as well without their waiting.

        Long inferences wait more often than short ones, so those that did not wait are not a sample of all.
        """
        if series.relieved is None or self._decision(series.relieved, self._bound) != "pass":
            return "", counts
        found = series.unhindered()
        seen = sum([value > self._bound for value in found])
        if statistics.decide((seen, seen), len(found), self._block, self._table) != "pass":
            return "", counts
        return "pass", {"n": len(found), "exceedances": seen, "left_out": len(series.latencies) - len(found)}

    def next_look(self, n: int) -> int:
        least = n * EARLY_GROWTH if self._short else n + 1
        due = [row[0] * self._block for row in self._table if row[0] * self._block >= max(least, n + 1)]
        if self._short:
            due.append(max(n + 1, math.ceil(n * self._short)))
        return min(due or [n + 1])

    def _early(self, series: _Series, bound: float) -> str:
        """The decision before the least time is over: a fail at as many times the limit as a disturbance slows."""
        n = len(series.latencies)
        far = FARTHEST * bound
        seen = sum([value > far for value in series.latencies])
        if statistics.within(seen, n, self._quantile):
            return ""  # as for most models: nothing else needs to be computed
        self._block = self._block_length(series, bound)
        fewest, _ = self._over_the_span(series, far, seen)
        return statistics.decide((fewest, n), n, self._block, self._table)

    def _decision(self, series: _Series, bound: float) -> str:
        over = [value > bound for value in series.latencies]
        n, unseen = len(over), series.unseen(bound)
        self._block = self._block_length(series, bound)
        fewest, most = self._over_the_span(series, bound, sum(over))
        if 0 < statistics.bursts(over, self._block) < ENOUGH_BURSTS:
            most = max(most, sum(over) * self._block)
        decision = statistics.decide((fewest, most), n, self._block, self._table)
        thirds = [over[n * part // THIRDS : n * (part + 1) // THIRDS] for part in range(THIRDS)]
        parts = thirds + [over[n - n // TENTH :]] if decision == "pass" else thirds
        right = decision == "pass"
        if right and not statistics.within(sum(over) + unseen, n + unseen, self._quantile):
            return ""
        agreeing = [statistics.within(sum(part), len(part), self._quantile) == right for part in parts if part]
        return decision if all(agreeing) else ""

    def _block_length(self, series: _Series, bound: float) -> int:
        time, count = self._burst
        shape = series.shape
        # Latencies halfway to the limit show how long disturbances last before one has gone beyond the limit.
        marks = (bound, (shape.middle + bound) / 2)
        shown = max([statistics.autocorrelation_time([value > mark for value in shape.level]) for mark in marks])
        return max(statistics.least_block(shape.middle, time, count), math.ceil(shown))

    def _over_the_span(self, series: _Series, bound: float, seen: int) -> Tuple[int, int]:
        """The fewest and the most that exceed `bound` if the trend went on over the entire span."""
        ahead = self._span / max(series.elapsed, 1) - 1
        if ahead <= 0:
            return seen, seen
        down, up = series.shape.trend
        fewest = _stretched(series.latencies, bound, down * ahead) if down < 0 else seen
        most = _stretched(series.latencies, bound, up * ahead) if up > 0 else seen
        return fewest, most

    def _agrees(self, seen: int, n: int, unseen: int) -> bool:
        """Whether the quantile of all latencies is still on the decided side, whatever was not seen."""
        if self.report["decision"] == "pass":
            return statistics.within(seen + unseen, n + unseen, self._quantile)
        return self.report["decision"] == "fail" and not statistics.within(seen, n, self._quantile)


def _trend(latencies: Sequence[int]) -> Trend:
    """Bounds of the share of the level by which one inference differs from the one before; infinite for too few."""
    if len(latencies) < statistics.PARTS:
        return -math.inf, math.inf
    down, up = statistics.trend(latencies, TREND_T) or (0.0, 0.0)  # or: a clock that saw no time pass
    size = len(latencies) // statistics.PARTS
    return down / size, up / size


def _stretched(latencies: Sequence[int], bound: float, slope: float) -> int:
    """Exceedances if each latency stood for its place in a longer run, over which the level changes by `slope`."""
    if math.isinf(slope):
        return len(latencies) if slope > 0 else 0
    farthest = FARTHEST if slope > 0 else 1 / FARTHEST
    nearest = min if slope > 0 else max
    return sum([value * nearest(1 + slope * at, farthest) > bound for at, value in enumerate(latencies)])
