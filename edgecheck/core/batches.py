"""A correlated series as a few figures that are nearly independent: one from each batch of neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgecheck.core import looks, statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Few and long: a batch is to hold a disturbance whole, and ten against ten tell a difference at an error of 1 %
#: as soon as four in five of the pairs agree on it.
BATCHES = 10

#: Values that a batch must have on the thin side of its percentile, and blocks that it must be long.
_BEYOND = 3
_BLOCKS = 2


def figures(latencies: Sequence[float], quantile: float | None) -> list[float]:
    """The quantile of each batch of a series in order of time, or its mean for None; empty where it is too short.

    Batch means, as in Asmussen and Glynn, Stochastic Simulation (2007), IV.5, here for quantiles too: whatever
    correlates inside of a batch is in the spread of the figures. What is left over at the end is not used.
    """
    if len(latencies) < needed(latencies, quantile):
        return []
    size = len(latencies) // BATCHES
    return [_figure(latencies[at * size : (at + 1) * size], quantile) for at in range(BATCHES)]


def needed(latencies: Sequence[float], quantile: float | None) -> int:
    """The fewest inferences of this kind that the figures can be made from."""
    if not latencies:
        return 1
    block = looks.block_length(latencies, quantile or 0.5)
    thin = min(quantile, 1 - quantile) if quantile else 0.5
    return BATCHES * max(_BLOCKS * block, math.ceil(round(_BEYOND / thin, 6)))


def _figure(values: Sequence[float], quantile: float | None) -> float:
    return math.fsum(values) / len(values) if quantile is None else statistics.percentile(values, quantile)
