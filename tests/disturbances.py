"""Series of latencies under the disturbances of docs/explanation/statistics.md, many runs at once; nanoseconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.vectorised_looks import Figures, Marks, Series

#: The undisturbed median.
MEDIAN = 5e6
NOISE = 0.03
SLOWER = 2.0

#: The levels of many runs: at each inference, from the moments at which it starts (seconds, one per run), the factor
#: by which it is slower.
Level = Callable[["Figures"], "Figures"]
#: From the generator, the number of runs and the share of slow inferences, a level.
Kind = Callable[[np.random.Generator, int, float], Level]


def drawn(name: str, quantile: float, runs: int, seconds: float, seed: int = 1) -> Series:
    """Runs of at least `seconds` under that disturbance, of which 1.4 times what `quantile` allows is slow."""
    random = np.random.default_rng([seed, *name.encode()])
    beyond = 1.4 * (1 - quantile) if quantile > 0.6 else 0.6
    level = KINDS[name](random, runs, beyond)
    now, columns = np.zeros(runs), []
    while now.min() < seconds:
        latency = MEDIAN * level(now) * np.exp(NOISE * random.standard_normal(runs))
        now = now + latency / 1e9
        columns.append(latency.astype(np.int64))
    return np.stack(columns, axis=1)


#: Seconds between two moments at which others take the processor away from the model, and for how long; on average.
BETWEEN, TAKEN = 0.05, 0.03


def waits(series: Series, seed: int = 1) -> Series:
    """What each inference waits on a busy machine: the longer it runs, the likelier others take the processor."""
    random = np.random.default_rng([seed, *b"waits"])
    taken = random.poisson(series / 1e9 / BETWEEN)
    waited: Series = np.rint(random.gamma(np.maximum(taken, 1), TAKEN * 1e9) * (taken > 0)).astype(np.int64)
    return waited


def _steady(_random: np.random.Generator, runs: int, _share: float) -> Level:
    return lambda _now: np.ones(runs)


def _heavy(random: np.random.Generator, runs: int, _share: float) -> Level:
    return lambda _now: 1 + 0.1 * random.pareto(1.5, runs)


def _correlated(factor: float) -> Kind:
    """AR(1): each inference's logarithm keeps `factor` of the last one's deviation; 20 % in all."""

    def kind(random: np.random.Generator, runs: int, _share: float) -> Level:
        state = random.standard_normal(runs)

        def level(_now: Figures) -> Figures:
            nonlocal state
            state = factor * state + math.sqrt(1 - factor * factor) * random.standard_normal(runs)
            return np.exp(0.2 * state)

        return level

    return kind


def _bursts(length: float, *, regular: bool) -> Kind:
    """Slow for `length` seconds at a time, between gaps; both exponential on average or exactly as long."""

    def kind(random: np.random.Generator, runs: int, share: float) -> Level:
        duty = SLOWER * share / (SLOWER * share + 1 - share)

        def drawn_until(slow: Marks) -> Figures:
            chosen: Figures = np.where(slow, length, length * (1 - duty) / duty)
            return chosen if regular else chosen * random.exponential(size=runs)

        slow = random.random(runs) < duty
        until = drawn_until(slow) * (random.random(runs) if regular else 1.0)

        def level(now: Figures) -> Figures:
            nonlocal slow, until
            over = now >= until
            slow = slow ^ over
            until = np.where(over, until + drawn_until(slow), until)
            return np.where(slow, SLOWER, 1.0)

        return level

    return kind


def _drift(change: float, seconds: float = 30.0) -> Kind:
    return lambda _random, _runs, _share: lambda now: 1 + change * now / seconds


def _step(at: float, factor: float = 1.3) -> Kind:
    return lambda _random, _runs, _share: lambda now: np.where(now >= at, factor, 1.0)


LENGTHS = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)

#: By name, in the order of the table.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "independent": _steady,
        "independent, heavy tail": _heavy,
        **{f"AR(1), {factor:g}": _correlated(factor) for factor in (0.9, 0.99, 0.999)},
        **{f"regular bursts of {length:g} s": _bursts(length, regular=True) for length in LENGTHS},
        **{f"random bursts of {length:g} s": _bursts(length, regular=False) for length in LENGTHS},
        "rising by 10 %": _drift(0.1),
        "rising by 50 %": _drift(0.5),
        "falling by 20 %": _drift(-0.2),
        **{f"clock falls (x 1.3) after {at:g} s": _step(at) for at in (2.0, 5.0, 8.0, 9.5, 10.5)},
    }
)
