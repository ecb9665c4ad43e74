"""From networks that ran on a device and in its emulated machine to the constant that projects other models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgecheck.core.device import Constant

#: The fewest networks that have a spread.
FEWEST = 2

#: The least spread that is believed: networks whose times agree more closely are too much alike.
LEAST_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class Pair:
    """The time and the instructions of one network."""

    network: str
    latency: float
    """Seconds: the median of steady inferences on the device, on one thread."""
    instructions: float
    """Instructions of one steady inference, as counted by the emulated machine with the device's core."""

    @property
    def ns_per_instruction(self) -> float:
        """Nanoseconds of the device per instruction."""
        return self.latency * 1e9 / self.instructions


def fitted(pairs: Sequence[Pair], runtime: str) -> Constant:
    """The constant of networks that compute in the same kind of numbers.

    With x = ln(latency / instructions) of each of n networks, the constant is exp(mean of x), the geometric mean, and
    the spread is the standard deviation of x, sqrt(sum((x - mean)^2) / (n - 1)). Ratios are averaged by their
    logarithms because a network that takes twice as long as projected is as wrong as one that takes half.

    Args:
        pairs: At least two, of positive latencies and counts.
        runtime: The runtime that ran them.

    Raises:
        ValueError: there are fewer than two, or a figure is not positive and finite.
    """
    if len(pairs) < FEWEST:
        raise ValueError(f"a spread needs {FEWEST} networks or more, not {len(pairs)}")
    for pair in pairs:
        if not (0 < pair.latency < math.inf and 0 < pair.instructions < math.inf):
            raise ValueError(f"{pair.network} took {pair.latency} s and {pair.instructions} instructions")
    logarithms = [math.log(pair.ns_per_instruction) for pair in pairs]
    mean = math.fsum(logarithms) / len(logarithms)
    variance = math.fsum((each - mean) ** 2 for each in logarithms) / (len(logarithms) - 1)
    return Constant(math.exp(mean), max(LEAST_SPREAD, math.sqrt(variance)), runtime)
