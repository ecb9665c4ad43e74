"""From what an emulated machine counted to the latency of the device: the sum of what each event costs there.

    latency = (a C + b N + c L1) / f + d W + e L2

C are cycles of LLVM's model of the core, N instructions that multiply and accumulate nothing, L1 misses of the first
level of the data cache, W those of them that were stores, L2 misses of the second level, f the clock. The costs a to e
belong to a device, and are the same for all runtimes and kinds of numbers. Without LLVM, C are instructions that
multiply and accumulate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from edgecheck.core.counted import Counted
from edgecheck.core.device import Costs, CostSet, Scaling
from edgecheck.core.projection import NINETY_PERCENT, ONE_THREAD, Interval

#: Added to the spread in quadrature where the artifact's runtime is not the one that the costs were fitted with: they
#: belong to the core, but no two runtimes are quite alike.
OTHER_RUNTIME = 0.15

#: Fits that differ by more than this factor have not seen a network like this one.
DISAGREE = 1.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The device, and what runs there."""

    costs: Costs
    clock: float
    """Hertz."""
    runtime: str
    threads: Scaling = ONE_THREAD
    """The speed-up of the budget's threads over one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a latency is made of, in seconds."""

    computing: float
    """Cycles of LLVM's model, or multiplying."""
    instructions: float
    """Everything else that is executed."""
    first_level: float
    """Waiting for the second level of the cache, or for what is behind it, each time the first misses."""
    memory: float
    """Waiting for memory."""

    @property
    def total(self) -> float:
        """The latency."""
        return self.computing + self.instructions + self.first_level + self.memory

    def over(self, factor: float) -> Parts:
        """With threads that are `factor` times as quick: they share one memory, which is as slow as before."""
        return Parts(
            computing=self.computing / factor,
            instructions=self.instructions / factor,
            first_level=self.first_level / factor,
            memory=self.memory,
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A projected latency."""

    interval: Interval
    parts: Parts
    modelled: bool
    """Whether LLVM's cycles were used."""
    doubts: tuple[str, ...]
    """What widened the interval, each in a few words."""


def estimate(counted: Counted, setting: Setting) -> Estimate | None:
    """The steady latency of one inference; None where the costs are not for what was counted."""
    candidates = list(_candidates(counted, setting))
    if not candidates:
        return None
    modelled, best, one_thread = candidates[0]
    parts = one_thread.over(setting.threads.factor)
    widths, doubts = [math.log(best.within)], []
    for spread, doubt in _spreads(setting):
        widths.append(NINETY_PERCENT * spread)
        doubts += [doubt] if doubt else []
    totals = [other.total for _, _, other in candidates]
    if (apart := max(totals) / min(totals)) > DISAGREE:
        widths.append(math.log(apart))
        doubts.append(f"two fits are {apart:.1f} x apart: no network like it was fitted")
    factor = math.exp(math.hypot(*widths))
    value = parts.total
    return Estimate(Interval(value, value / factor, value * factor), parts, modelled, tuple(doubts))


def _candidates(counted: Counted, setting: Setting) -> Iterator[tuple[bool, CostSet, Parts]]:
    """Each set of costs that the counts allow, the best first: whether it has LLVM's cycles, and its parts."""
    costs = setting.costs
    misses, cycles = dict(counted.l2).get(costs.l2_size), dict(counted.cycles).get(costs.model)
    if misses is None:
        return
    for modelled, each, work in ((True, costs.modelled, cycles), (False, costs.counted, counted.multiplying)):
        if each is not None and work is not None:
            parts = _parts(work, misses, counted, each, setting.clock)
            if parts.total > 0:
                yield modelled, each, parts


def _parts(work: float, misses: float, counted: Counted, costs: CostSet, clock: float) -> Parts:
    return Parts(
        computing=costs.work * work / clock,
        instructions=costs.instruction * (counted.instructions - counted.multiplying) / clock,
        first_level=costs.l1 * (counted.l1_loads + counted.l1_stores) / clock,
        memory=costs.store * counted.l1_stores + costs.l2 * misses,
    )


def _spreads(setting: Setting) -> Iterator[tuple[float, str]]:
    """What is added to the width in quadrature, as standard deviations, and why in a few words."""
    if setting.runtime != setting.costs.runtime:
        yield OTHER_RUNTIME, f"{setting.runtime} was not measured there"
    if setting.costs.spread:
        yield setting.costs.spread, "this device was not measured"
    if setting.threads.spread:
        yield setting.threads.spread, ""
