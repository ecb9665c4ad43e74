"""From networks that ran on the device and in its emulated machine to the constant that projects others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.core.device import Constant

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Fewer networks have no spread.
FEWEST = 2

#: The least spread that is believed: networks that all took the same time to the digit are too much alike.
LEAST_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class Pair:
    """What one network took."""

    network: str
    latency: float
    """Seconds: the median of steady inferences on the device, on one thread."""
    instructions: float
    """Of one steady inference, as the emulated machine with the device's core counts them."""

    @property
    def ns_per_instruction(self) -> float:
        """Nanoseconds that the device took for an instruction."""
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
        ValueError: there are fewer, or one of their figures is not positive and finite.
    """
    if len(pairs) < FEWEST:
        raise ValueError(f"a spread takes {FEWEST} networks or more, not {len(pairs)}")
    for pair in pairs:
        if not (0 < pair.latency < math.inf and 0 < pair.instructions < math.inf):
            raise ValueError(f"{pair.network} took {pair.latency} s and {pair.instructions} instructions")
    logarithms = [math.log(pair.ns_per_instruction) for pair in pairs]
    mean = math.fsum(logarithms) / len(logarithms)
    variance = math.fsum((each - mean) ** 2 for each in logarithms) / (len(logarithms) - 1)
    return Constant(math.exp(mean), max(LEAST_SPREAD, math.sqrt(variance)), runtime)
