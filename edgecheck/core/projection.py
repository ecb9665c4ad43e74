"""From counters of an emulated machine to the latency of the device, with an interval; and how its constant is fitted.

latency = instructions x nanoseconds per instruction. The constant is the geometric mean over other networks and the
spread the standard deviation of its logarithm over them, so the interval is log-normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgecheck.core.device import Constant, Scaling

#: Added to the spread in quadrature where the artifact's runtime is not the one that the constant was calibrated with:
#: on one phone XNNPACK needs 0.42 ns where ncnn needs 0.69.
OTHER_RUNTIME = 0.25

#: Half the width of a 90 % interval, in standard deviations of a normal distribution.
NINETY_PERCENT = 1.6449


@dataclass(frozen=True, slots=True)
class Counters:
    """What the emulated machine counted for one steady inference."""

    instructions: float


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the ends of its 90 % interval, in seconds."""

    estimate: float
    low: float
    high: float


#: The counts are of one thread.
ONE_THREAD = Scaling(1.0, 0.0)


def project(counters: Counters, constant: Constant, runtime: str, threads: Scaling = ONE_THREAD) -> Interval:
    """The steady latency of one inference.

    Args:
        counters: Those of one inference.
        constant: The device's constant for the kind of numbers that the artifact computes in.
        runtime: The runtime that ran; if it is not the constant's, the interval is wider.
        threads: The speed-up of the budget's threads over the one that was counted.
    """
    estimate = counters.instructions * constant.ns_per_instruction * 1e-9 / threads.factor
    other = 0.0 if runtime == constant.runtime else OTHER_RUNTIME
    spread = math.hypot(constant.spread, other, threads.spread)
    factor = math.exp(NINETY_PERCENT * spread)
    return Interval(estimate, estimate / factor, estimate * factor)


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
