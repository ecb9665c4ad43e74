"""Times steady inferences: as many as the looks need, or, under an instruction counter, until two batches agree."""

import gc
import math
import time
from typing import Any, Callable, Dict, List, Sequence, Tuple

from edgecheck_agent import counting, events, marks, refusals, statistics, waiting

# Python 3.6 has no nanosecond clock; differences of its perf_counter are accurate to some tens of nanoseconds.
CLOCK: Callable[[], float] = getattr(time, "perf_counter_ns", time.perf_counter)
PER_SECOND = 10**9 if hasattr(time, "perf_counter_ns") else 1
# An inference that takes this long is not affected by cold caches.
SLOW_S = 0.1

# For the supervisor to take its last sample and to pass on what it has read, before anything is counted.
QUIET_S = 0.05

# In one unit of the clock.
NANOSECONDS = 10**9 // PER_SECOND


class Turns:
    """A model and its feeds, which are used in turn.

    `advice` is the message for a model that does not take the shapes that were guessed. The run is `doubtful` if the
    model may take them and then run faster than with any real input.
    """

    def __init__(self, model: Any, feeds: Sequence[Dict[str, Any]], advice: str, *, doubtful: bool) -> None:
        self.model = model
        self.feeds = feeds
        self.advice = advice
        self.doubtful = doubtful
        self.first_s = 0.0  # seconds of the first inference
        self._at = 0

    def next(self) -> None:
        """Feed the next one; a single feed stays in place."""
        if len(self.feeds) > 1:
            self._at = (self._at + 1) % len(self.feeds)
            self.model.feed(self.feeds[self._at])


def measure(turns: Turns, plan: Dict[str, Any], report: events.Report) -> None:
    """Warm up, then time inferences and send them at each look, until all looks or the plan's limits say stop.

    Between two timed inferences nothing is written, collected or allocated but the number itself; the pause of each
    look is measured and counted against a pass. Of a model so quick that `max_count` would be reached before the
    looks' least time is over, only one inference in several is timed.
    """
    gc.collect()
    gc.disable()
    warm_up(turns, plan)
    looks = counting.Looks(plan["looks"])
    skip = 0
    with waiting.Waits() as waits:
        timed = _Timed(plan["max_s"], waits)
        account = waiting.Account()
        while True:
            n = len(timed.found)
            due = min(_due(looks, n, plan, (CLOCK() - timed.begun) / PER_SECOND), plan["max_count"])
            timed.stretch(turns, due, skip)
            timed.send(n, report)
            counts = looks.feed(timed.found, timed.span_ns, timed.pauses, timed.waited(plan["threads"]))
            share = {"over_s": round(timed.span_ns / 1e9, 3), "contention": account.so_far(sum(timed.waits))}
            report.send("look", n=len(timed.found), counts=counts, **share)
            skip = max(skip, _skipped(timed.found, looks.least_s, plan["max_count"]))
            enough = len(timed.found) >= plan["min_count"] and timed.span_ns >= plan["min_s"] * 1e9
            if (looks.done and enough) or timed.over or len(timed.found) >= plan["max_count"]:
                break
    gc.enable()


class _Timed:
    """The inferences timed so far, in nanoseconds: `found`, and the `pauses` between them in which none was.

    `waits` are what each waited for a processor, as far as that is known (`waiting.attributed`).
    """

    def __init__(self, most_s: float, waits: waiting.Waits) -> None:
        self.found: List[int] = []
        self.pauses: List[int] = []
        self.waits: List[int] = []
        self._reader = waits
        self._each = True
        self.begun = self._stopped = CLOCK()
        self._until = self.begun + most_s * PER_SECOND

    @property
    def span_ns(self) -> int:
        """From the first inference's start to the last one's end."""
        return round((self._stopped - self.begun) * NANOSECONDS)

    @property
    def over(self) -> bool:
        """Whether the time allowed is over."""
        return bool(self._stopped >= self._until)

    def send(self, first: int, report: events.Report) -> None:
        """Send the latencies from `first` on, and what they waited if any did."""
        waits = self.waits[first:]
        report.send("latencies", values_ns=self.found[first:], waits_ns=waits if any(waits) else [])

    def waited(self, threads: int) -> counting.Waited:
        """The waiting, for the looks."""
        return counting.Waited(self.waits, self._each and threads == 1)

    def stretch(self, turns: Turns, due: int, skip: int) -> None:
        """Time inferences until there are `due`, or the time is over. Before each one, `skip` others run untimed."""
        found, read, read_after = self.found, self._reader.read, self._reader.read_after
        self._reader.refresh()
        apart = self._apart(skip)
        with refusals.translated(turns.advice):
            if found and found[-1] < SLOW_S * 1e9:
                turns.model.invoke()  # untimed: evaluating the look has cooled the caches
            if found:
                self.pauses.append(round((CLOCK() - self._stopped) * NANOSECONDS))
            while len(found) < due and not self.over:
                before = read()
                new = self._group(turns, min(apart, due - len(found)), skip)
                self.waits += waiting.attributed(new, read_after() - before)
                found += new

    def _group(self, turns: Turns, count: int, skip: int) -> List[int]:
        """Time `count` inferences, or fewer if the time is over."""
        clock, run, advance, until = CLOCK, turns.model.invoke, turns.next, self._until
        values: List[Any] = []
        keep = values.append
        stop = start = self._stopped
        for _ in range(count):
            for _ in range(skip):
                run()
            start = clock()
            run()
            stop = clock()
            keep(stop - start)
            if stop >= until:
                break
            advance()
        self._stopped = stop
        return [round(value * NANOSECONDS) for value in values]

    def _apart(self, skip: int) -> int:
        """How many inferences share a reading of the waiting."""
        if not self.found:
            return 1
        apart = self._reader.apart(statistics.median(self.found) / 1e9)
        self._each = self._each and apart == 1 and not skip
        return apart


def warm_up(turns: Turns, plan: Dict[str, Any]) -> None:
    """Run inferences that are not measured, for the plan's time and count."""
    until = CLOCK() + plan["warmup_s"] * PER_SECOND
    count = 0
    with refusals.translated(turns.advice):
        while count < plan["warmup_count"] or CLOCK() < until:
            turns.model.invoke()
            turns.next()
            count += 1


def _due(looks: counting.Looks, n: int, plan: Dict[str, Any], elapsed_s: float) -> int:
    """The number of inferences at the next look; more than `n`."""
    due: int = n if looks.done else looks.next_look(n)
    if due > n:
        return due
    if n < plan["min_count"]:
        return int(plan["min_count"])
    return math.ceil(n * max(float(plan["min_s"]) / elapsed_s, 1.0)) + 1


def _skipped(latencies: Sequence[int], time_s: float, most: int) -> int:
    """Inferences to leave untimed between two timed ones, so that half of `most` timed ones fill `time_s`."""
    return int(time_s * 1e9 / max(statistics.median(latencies), 1) / max(most / 2, 1))


def agree(turns: Turns, plan: Dict[str, Any], report: events.Report) -> Any:
    """Run batches until the means of two neighbours agree: for a clock that counts instructions.

    The first batch fills `batch_s` seconds; the others have as many inferences. A model that takes longer than that
    has batches of one; the first one suffices if it is within `first_tolerance` of the model's first inference. With
    `marks`, a plugin of the emulator counts the last batch. Returns what the last inference returned.
    """
    time.sleep(QUIET_S)
    gc.collect()
    gc.disable()
    batches: List[Dict[str, int]] = []
    agreed = False
    outcome = None
    mark = marks.Marks(wanted=plan["marks"]).set
    mark(marks.SIMULATE)
    while not agreed and len(batches) < plan["max_batches"]:
        outcome = None
        mark(marks.ZERO)
        batch, outcome = _batch(turns, plan["batch_s"], batches[0]["count"] if batches else 0)
        batches.append(batch)
        agreed = _agreed([one["total_ns"] / one["count"] for one in batches], batches, turns.first_s, plan)
    mark(marks.STOP)
    gc.enable()
    report.send("batches", batches=batches, agreed=agreed)
    return outcome


def _agreed(means: List[float], batches: List[Dict[str, int]], first_s: float, plan: Dict[str, Any]) -> bool:
    """Whether the last batch is like the one before, or a single inference like the model's first."""
    if len(means) > 1:
        return bool(abs(means[-1] - means[-2]) <= plan["tolerance"] * max(means[-2:]))
    first_ns = first_s * 1e9
    return batches[0]["count"] == 1 and bool(abs(means[0] - first_ns) <= plan["first_tolerance"] * first_ns)


def _batch(turns: Turns, batch_s: float, count: int) -> Tuple[Dict[str, int], Any]:
    """Run a batch of `count` inferences, or, where that is 0, of as many as fill `batch_s`.

    Returns the batch, and what its last inference returned.
    """
    run, advance, clock = turns.model.invoke, turns.next, CLOCK
    outcome = None
    with refusals.translated(turns.advice):
        start = clock()
        stop, done = start, 0
        until = start + batch_s * PER_SECOND
        while not count and stop < until:
            outcome = None  # dropped before the next: two large outputs would show in the memory
            outcome = run()
            advance()
            done += 1
            stop = clock()
        if count:
            for _ in range(count - 1):
                run()
                advance()
            outcome = run()
            advance()
            stop = clock()
    return {"count": count or done, "total_ns": round((stop - start) * NANOSECONDS)}, outcome
