"""The agent's counting over many series at once, for simulations; it must decide as `edgecheck_agent.counting` does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecheck.core import looks
from edgecheck_agent import counting, statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Series = NDArray[np.int64]
    Figures = NDArray[np.float64]
    Counts = NDArray[np.int64]
    Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of many runs of one limit."""

    states: Counts
    """1 for each that passed, -1 for each that failed; 0 was not decided."""
    counts: Counts
    """Inferences at the decision, or at the end."""
    spans: Figures
    """Seconds measured by then."""

    @property
    def passed(self) -> float:
        """Share of the runs."""
        return float((self.states == 1).mean())

    @property
    def failed(self) -> float:
        """Share of the runs."""
        return float((self.states == -1).mean())

    @property
    def inferences(self) -> float:
        """Mean count."""
        return float(self.counts.mean())

    @property
    def seconds(self) -> float:
        """Mean time measured."""
        return float(self.spans.mean())


@dataclass(frozen=True, slots=True)
class Watch:
    """One limit on the `quantile` of latencies; nanoseconds."""

    quantile: float
    bound: float | Figures
    """Of all runs, or of each."""
    span: float = 0.0
    block: int = 0
    """Counts in blocks of this length, whatever the latencies show; 0 lets them show it."""
    pause: float = 0.0
    """Of the time measured so far, what each look takes; inferences that fall into it are not seen."""

    def run(self, series: Series) -> Outcome:
        """Look at every row of `series` as the agent would, until each is decided or at its end."""
        count, length = series.shape
        state, at = np.zeros(count, np.int64), np.full(count, length)
        spans = series.sum(axis=1) / 1e9
        seen = np.ones(length, np.bool_)
        pauses = np.zeros((count, 0))
        for n in self.grid(series):
            undecided = np.flatnonzero(state == 0)
            if undecided.size == 0:
                break
            part, bound = series[undecided, :n], self._bounds(undecided)
            answer = Watch(self.quantile, bound, self.span, self.block).look(
                part[:, seen[:n]], part.sum(axis=1), pauses[undecided]
            )
            state[undecided] = answer
            at[undecided[answer != 0]] = n
            spans[undecided[answer != 0]] = part[answer != 0].sum(axis=1) / 1e9
            if self.pause:
                resumed = min(n + math.ceil(self.pause * n), length)
                seen[n:resumed] = False
                pauses = np.column_stack([pauses, series[:, n:resumed].sum(axis=1)])
        return Outcome(state, at, spans)

    def _bounds(self, rows: Counts) -> float | Figures:
        return self.bound[rows] if isinstance(self.bound, np.ndarray) else self.bound

    def grid(self, series: Series) -> list[int]:
        """Numbers of inferences to look at: those of the table, in the shortest blocks; and all of them."""
        length = series.shape[1]
        block = self.block or looks.least_block(float(np.median(series)) / 1e9)
        due = [look.n * block for look in looks.look_table(self.quantile)]
        # The agent looks when the least time is over; in the mean of all runs that is here, a little later.
        over = math.ceil(1.02 * self.least / float(series.mean())) if self.least else 0
        early = [counting.EARLY_GROWTH**power for power in range(3, 40)]
        some = {n for n in due if n > over} | {n for n in early if n < over} | ({over} - {0})
        return sorted({n for n in some if n < length} | {length})

    def look(self, series: Series, elapsed: Figures | None = None, pauses: Figures | None = None) -> Counts:
        """1 for each row that passes, -1 for each that fails, 0 for the others."""
        n = series.shape[1]
        limit = np.broadcast_to(np.asarray(self.bound, np.float64), (len(series),))[:, None]
        elapsed = series.sum(axis=1).astype(np.float64) if elapsed is None else elapsed
        over = series > limit
        seen = over.sum(axis=1)
        block: Counts = np.full(len(series), self.block) if self.block else self._blocks(series, limit)
        fewest, most = self._over_the_span(series, limit, elapsed)
        few = self._too_few_bursts(over, block)
        most = np.where(few, np.maximum(most, seen * block), most)
        early, _ = self._over_the_span(series, counting.FARTHEST * limit, elapsed)
        short = elapsed < 0.99 * self.least
        table = looks.look_table(self.quantile)
        rows = np.array([look.n for look in table])
        passing = np.array([-1] + [look.pass_at_most for look in table])
        failing = np.array([look.fail_at_least for look in table] + [2**40])
        before = np.searchsorted(rows, n // block, side="right")
        after = np.searchsorted(rows, -(-n // block), side="left")
        passes = (most <= passing[before] * block) & self._holds(over, passing=True) & ~short
        passes &= self._within_with_pauses(seen, n, limit, pauses)
        fails = (fewest >= failing[after] * block) & self._holds(over, passing=False) & ~short
        fails |= short & (early >= failing[after] * block)
        answer: Counts = np.where(passes, 1, np.where(fails, -1, 0))
        return answer

    def _within_with_pauses(self, seen: Counts, n: int, limit: Figures, pauses: Figures | None) -> Marks:
        """Whether the quantile is within the limit although all that began in the pauses exceeded it."""
        if pauses is None or pauses.shape[1] == 0:
            return np.ones(len(seen), np.bool_)
        unseen = (1 + np.floor(pauses / limit)).sum(axis=1).astype(np.int64)
        every = n + unseen
        ranks = np.maximum(1, np.ceil(np.round(self.quantile * every, 6)))
        holds: Marks = seen + unseen <= every - ranks
        return holds

    def _blocks(self, series: Series, limit: Figures) -> Counts:
        middle = np.median(series, axis=1)
        floor = np.minimum(looks.BURST_COUNT, np.ceil(looks.BURST_TIME * 1e9 / middle))
        near = (middle[:, None] + limit) / 2
        level = _levelled(series, middle)
        shown = np.maximum(_correlation_times(level > limit), _correlation_times(level > near))
        blocks: Counts = np.maximum(floor, np.ceil(shown)).astype(np.int64)
        return blocks

    @property
    def least(self) -> float:
        """The time before which nothing passes, as the host tells the agent."""
        return min(looks.LEAST_TIME * 1e9, self.span)

    def _too_few_bursts(self, over: Marks, block: Counts) -> Marks:
        row, place = np.nonzero(over)
        parted = (row[1:] == row[:-1]) & (np.diff(place) > block[row[1:]])
        bursts = np.bincount(row[1:][parted], minlength=len(over)) + 1
        few: Marks = over.any(axis=1) & (bursts < counting.ENOUGH_BURSTS)
        return few

    def _holds(self, over: Marks, *, passing: bool) -> Marks:
        n, thirds = over.shape[1], counting.THIRDS
        parts = [over[:, n * part // thirds : n * (part + 1) // thirds] for part in range(thirds)]
        if passing:
            parts.append(over[:, n - n // counting.TENTH :])
        holds = np.ones(len(over), np.bool_)
        for part in parts:
            size = part.shape[1]
            if size:
                within = part.sum(axis=1) <= size - statistics.rank(size, self.quantile)
                holds &= within == passing
        return holds

    def _over_the_span(self, series: Series, bound: Figures, elapsed: Figures) -> tuple[Counts, Counts]:
        n = series.shape[1]
        seen = (series > bound).sum(axis=1)
        ahead = self.span / elapsed - 1
        going = ahead > 0
        if not going.any():
            return seen, seen
        if n < statistics.PARTS:
            return np.where(going, 0, seen), np.where(going, n, seen)
        down, up = _growth(series)
        places = np.arange(n)
        fewest, most = (
            (series * _within_reach(1 + (slope * ahead)[:, None] * places) > bound).sum(axis=1)
            for slope in (np.minimum(down, 0), np.maximum(up, 0))
        )
        return np.where(going, fewest, seen), np.where(going, most, seen)


def _within_reach(factors: Figures) -> Figures:
    reached: Figures = np.clip(factors, 1 / counting.FARTHEST, counting.FARTHEST)
    return reached


def _levelled(series: Series, middle: Figures) -> Figures:
    n = series.shape[1]
    if n < statistics.PARTS:
        return series.astype(np.float64)
    down, up = _growth(series)
    level: Figures = series - ((down + up) / 2 * middle)[:, None] * (np.arange(n) - (n - 1) / 2)
    return level


def _correlation_times(flags: Marks) -> Figures:
    count, n = flags.shape
    hits = flags.sum(axis=1)
    spread = hits * (n - hits) / (n * n)
    longest, width, sums = np.ones(count), 1, flags.astype(np.int32)
    known = spread > 0
    while sums.shape[1] >= 2 * statistics.LEAST_SUMS:
        pairs = sums.shape[1] // 2
        sums = sums[:, 0 : 2 * pairs : 2] + sums[:, 1 : 2 * pairs : 2]
        width *= 2
        squares = ((sums - (width * hits / n)[:, None]) ** 2).sum(axis=1)
        ratio = squares / np.where(known, pairs * width * spread, np.inf)
        shown = ratio > 1 + 3 * math.sqrt(2 / pairs)
        longest = np.where(shown, np.maximum(longest, ratio), longest)
    return longest


def _growth(series: Series) -> tuple[Figures, Figures]:
    size = series.shape[1] // statistics.PARTS
    parts = series[:, : size * statistics.PARTS].reshape(-1, statistics.PARTS, size)
    medians = np.median(parts, axis=2)
    places = np.arange(statistics.PARTS) - (statistics.PARTS - 1) / 2
    level, square = medians.mean(axis=1), float((places**2).sum())
    slope = medians @ places / square
    rest = ((medians - level[:, None]) ** 2).sum(axis=1) - slope**2 * square
    reach = counting.TREND_T * np.sqrt(np.maximum(rest, 0) / (statistics.PARTS - 2) / square)
    return (slope - reach) / (level * size), (slope + reach) / (level * size)
