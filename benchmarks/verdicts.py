"""How often a verdict on a latency is wrong, by kind of disturbance: the table of docs/explanation/statistics.md.

    python benchmarks/verdicts.py            # p90 of a model of 5 ms, 1,000 runs of each kind, a few minutes
    python benchmarks/verdicts.py --runs 200 --quantile 0.5

The limits are 2 and 10 % under the true percentile (a pass is wrong), and 2 and 10 % over it (a fail is wrong). The
percentile is that of the process: over many runs together. For drifts and steps it is the one over all of the time
allowed, which is more than the verdict claims.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.disturbances import KINDS, MEDIAN, drawn
from tests.vectorised_looks import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vectorised_looks import Series

#: Seconds allowed, as for a budget that says nothing about it.
ALLOWED = 30.0
FACTORS = (1.02, 1.1, 0.98, 0.9)


def row(name: str, quantile: float, runs: int) -> Iterator[str]:
    """The cells of one kind of disturbance."""
    series = drawn(name, quantile, runs, ALLOWED)
    truth = percentile_over_time(series, quantile)
    yield name
    undecided, seconds = [], []
    for factor in FACTORS:
        outcome = Watch(quantile, truth / factor, span=ALLOWED * 1e9).run(series)
        yield f"{outcome.passed if factor > 1 else outcome.failed:.1%}"
        undecided.append(1 - outcome.passed - outcome.failed)
        seconds.append(outcome.seconds)
    yield f"{1 - np.mean(undecided):.0%}"
    yield f"{np.mean(seconds):.0f} s"


def percentile_over_time(series: Series, quantile: float) -> float:
    """The nearest rank over the first seconds allowed of all runs together."""
    inside = series[np.cumsum(series, axis=1) <= ALLOWED * 1e9]
    return float(np.quantile(inside, quantile, method="inverted_cdf"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--quantile", type=float, default=0.9)
    given = parser.parse_args()
    print(f"p{given.quantile * 100:g} of {MEDIAN / 1e6:g} ms, {given.runs:,} runs of each kind\n")
    print("| disturbance | pass, 2 % beyond | pass, 10 % beyond | fail, 2 % within | fail, 10 % | decided | measured |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in KINDS:
        print(f"| {' | '.join(row(name, given.quantile, given.runs))} |", flush=True)


if __name__ == "__main__":
    main()
