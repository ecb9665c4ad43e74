"""From counters of an emulated machine to the latency of the device, with an interval.

latency = instructions x nanoseconds per instruction. The constant is the geometric mean over other networks and the
spread the standard deviation of its logarithm over them, so the interval is log-normal.
"""

from __future__ import annotations

import math
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
