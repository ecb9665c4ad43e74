"""How often a verdict on a latency is wrong, by kind of disturbance: the tables of docs/explanation/statistics.md.

    python benchmarks/verdicts.py            # p90 of a model of 5 ms, 500 runs of each kind, a few minutes
    python benchmarks/verdicts.py --runs 200 --quantile 0.5
    python benchmarks/verdicts.py --contended --runs 200   # on a machine that others use as well
    python benchmarks/verdicts.py --boundary # where both kinds of errors are likeliest, 3,000 runs of each kind

A verdict is about the time that was measured. Its truth is the percentile of the latencies of that time, as if
inferences had run without a pause, also during the looks, whose pauses are exaggerated here. The limit of each run is
set so that this percentile of its least time is 2 or 10 % beyond the limit (a pass is wrong), or within it (a fail is
wrong). If measuring went on, what counts is the percentile of all that was measured by the decision.

The second table has the same for the percentile of the process that the run is a sample of: over many runs together.
The third has the power: how many are decided, of models on an idle machine, with limits at 0.9, 1.15 and 1.5 times
their percentile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from edgecheck.core import looks
from tests.disturbances import KINDS, MEDIAN, drawn, waits
from tests.vectorised_looks import Outcome, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vectorised_looks import Figures, Series

#: Seconds allowed, as for a budget that says nothing about it.
ALLOWED = 30.0
BEYOND, WITHIN = (1.02, 1.1), (0.98, 0.9)

#: The share of the time so far that each look takes. The agent's takes a tenth of that for a model of 5 ms.
PAUSE = 0.002

IDLE = ("independent", "independent, heavy tail", "AR(1), 0.9", "regular bursts of 0.25 s")
POWER = (0.9, 1.15, 1.5)


def judged(series: Series, quantile: float, bound: float | Figures) -> Outcome:
    """The verdicts on each run."""
    return Watch(quantile, bound, span=ALLOWED * 1e9, pause=PAUSE).run(series)


def percentiles(series: Series, quantile: float, seconds: float | Figures) -> Figures:
    """Of each run, the nearest rank over its first `seconds`."""
    ends = np.cumsum(series, axis=1) <= np.broadcast_to(np.asarray(seconds) * 1e9 + 1, (len(series),))[:, None]
    return np.array(
        [np.quantile(row[mask], quantile, method="inverted_cdf") for row, mask in zip(series, ends, strict=True)]
    )


def over_the_span(series: Series, quantile: float) -> Iterator[str]:
    """The cells of one kind of disturbance: shares of wrong verdicts on the time that was measured."""
    first = percentiles(series, quantile, looks.LEAST_TIME)
    decided = []
    for factor in (*BEYOND, *WITHIN):
        bound = first / factor
        outcome = judged(series, quantile, bound)
        truth = percentiles(series, quantile, outcome.spans)
        wrong = (outcome.states == 1) & (truth > bound) if factor > 1 else (outcome.states == -1) & (truth <= bound)
        yield f"{wrong.mean():.1%}"
        decided.append((outcome.states != 0).mean())
    yield f"{np.mean(decided):.0%}"


def of_the_process(series: Series, quantile: float) -> Iterator[str]:
    """The cells for the percentile of all runs together; wrong passes of runs that saw a burst come third."""
    inside = series[np.cumsum(series, axis=1) <= ALLOWED * 1e9]
    truth = float(np.quantile(inside, quantile, method="inverted_cdf"))
    seen = 0.0
    for factor in BEYOND:
        bound = truth / factor
        outcome = judged(series, quantile, bound)
        yield f"{outcome.passed:.1%}"
        burst = [(row[:n] > bound).any() for row, n in zip(series, outcome.counts, strict=True)]
        seen = max(seen, float(((outcome.states == 1) & np.array(burst)).mean()))
    yield f"{seen:.1%}"
    for factor in WITHIN:
        yield f"{judged(series, quantile, truth / factor).failed:.1%}"


def power(series: Series, quantile: float) -> Iterator[str]:
    """The cells of one kind: shares decided rightly, and the mean time, by the limit's factor."""
    inside = series[np.cumsum(series, axis=1) <= ALLOWED * 1e9]
    truth = float(np.quantile(inside, quantile, method="inverted_cdf"))
    for factor in POWER:
        outcome = judged(series, quantile, truth * factor)
        right = outcome.passed if factor > 1 else outcome.failed
        yield f"{right:.0%}, {outcome.seconds:.1f} s"


def at_the_boundary() -> None:
    """Print the shares that pass and fail where exactly as many inferences exceed the limit as it allows.

    By counts, blocks and trend alone, without a least time, on the shorter series of the tests.
    """
    from tests.core.test_simulation import SCENARIOS
    from tests.core.test_simulation import drawn as drawn_at

    print("\n| latencies | p50: pass | fail | p90: pass | fail |\n| --- | --- | --- | --- | --- |")
    for name in SCENARIOS:
        cells = []
        for quantile in (0.5, 0.9):
            series, watch = drawn_at(name, quantile, 1.0)
            outcome = watch.run(series)
            cells += [f"{outcome.passed:.2%}", f"{outcome.failed:.2%}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


#: A model of 20 ms, whose waiting is read for each inference.
LONGER = 4

CONTENDED = (*IDLE, "random bursts of 1 s", "rising by 10 %", "clock falls (x 1.3) after 5 s")


def under_contention(name: str, quantile: float, runs: int) -> Iterator[str]:
    """The cells of one kind of disturbance, by the model's own percentile over the time that each verdict is about."""
    from tests.core.test_simulation import verdict_under_contention

    series = LONGER * drawn(name, quantile, runs, ALLOWED / LONGER)
    waited = waits(series)
    decided = 0
    for factor in (*BEYOND, *WITHIN):
        wrong = 0
        for own, wait in zip(series, waited, strict=True):
            first = int(np.searchsorted(np.cumsum(own + wait), looks.LEAST_TIME * 1e9))
            bound = float(np.quantile(own[:first], quantile, method="inverted_cdf")) / factor
            decision, n = verdict_under_contention(own.tolist(), wait.tolist(), bound, quantile)
            truth = float(np.quantile(own[: max(n, 1)], quantile, method="inverted_cdf"))
            wrong += decision == "pass" if truth > bound else decision == "fail"
            decided += bool(decision)
        yield f"{wrong / runs:.1%}"
    yield f"{decided / runs / 4:.0%}"


TABLES = (
    (
        "disturbance | pass, 2 % beyond | 10 % beyond | fail, 2 % within | 10 % within | decided",
        over_the_span,
        tuple(KINDS),
    ),
    (
        "disturbance | pass, 2 % beyond | 10 % beyond | of these a burst was seen in | fail, 2 % within | 10 % within",
        of_the_process,
        tuple(KINDS),
    ),
    ("idle machine | limit 0.9 x: fails | 1.15 x: passes | 1.5 x: passes", power, IDLE),
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--quantile", type=float, default=0.9)
    parser.add_argument("--boundary", action="store_true", help="only the table at the boundary, of 3,000 runs each")
    parser.add_argument("--contended", action="store_true", help="only the table of a busy machine")
    given = parser.parse_args()
    if given.contended:
        print(
            f"p{given.quantile * 100:g} of {LONGER * MEDIAN / 1e6:g} ms and waiting, {given.runs:,} runs of each kind"
        )
        print("\n| disturbance | pass, 2 % beyond | 10 % beyond | fail, 2 % within | 10 % within | decided |")
        print("| --- | --- | --- | --- | --- | --- |")
        for name in CONTENDED:
            print(f"| {name} | {' | '.join(under_contention(name, given.quantile, given.runs))} |", flush=True)
        return
    if given.boundary:
        at_the_boundary()
        return
    print(f"p{given.quantile * 100:g} of {MEDIAN / 1e6:g} ms, {given.runs:,} runs of each kind")
    for head, cells, kinds in TABLES:
        print(f"\n| {head} |\n|{' --- |' * (head.count('|') + 1)}")
        for name in kinds:
            series = drawn(name, given.quantile, given.runs, ALLOWED)
            print(f"| {name} | {' | '.join(cells(series, given.quantile))} |", flush=True)


if __name__ == "__main__":
    main()
