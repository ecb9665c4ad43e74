"""Wrong verdicts on a machine that takes the processor away, simulated with the agent's own counting.

An inference loses its processor with a probability that grows with its length, and waits for tens of milliseconds then.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgecheck.core import looks
from edgecheck_agent.counting import Looks, Waited
from tests.disturbances import drawn

pytestmark = pytest.mark.slow

RUNS = 100
SECONDS = 12.0
SLICE, WAIT = 20e6, 30e6


def decisions(name: str, factor: float) -> Counter[str]:
    """Of runs whose limit on p90 is `factor` times the p90 of the model alone."""
    series = drawn(name, 0.9, RUNS, SECONDS)
    random = np.random.default_rng(5)
    bound = float(np.quantile(series, 0.9)) * factor / 1e9
    hit = random.random(series.shape) < -np.expm1(-series / SLICE)
    waits = np.where(hit, random.exponential(WAIT, series.shape), 0).astype(np.int64)
    limit = looks.for_agent("a", 0.9, bound, 30.0)
    found: Counter[str] = Counter()
    for row, waited in zip(series, waits, strict=True):
        latencies = (row + waited).tolist()
        span = max(sum(latencies), 31 * 10**9)
        (report,) = Looks([limit]).feed(latencies, span, [], Waited(waited.tolist(), exact=True))
        found[report["decision"]] += 1
    return found


@pytest.mark.parametrize(
    "name", ["independent", "independent, heavy tail", "AR(1), 0.99", "regular bursts of 0.5 s", "rising by 10 %"]
)
def test_beyond_the_limit_hardly_any_passes_and_within_it_none_fails(name: str) -> None:
    assert decisions(name, 1 / 1.02)["pass"] <= RUNS / 100
    assert decisions(name, 1 / 0.98)["fail"] == 0


def test_those_that_never_waited_decide_a_limit_with_room() -> None:
    assert decisions("independent", 1.5)["pass"] >= 0.9 * RUNS


def test_a_model_at_thrice_its_limit_fails_however_busy_the_machine_is() -> None:
    assert decisions("independent", 1 / 3)["fail"] >= 0.9 * RUNS
