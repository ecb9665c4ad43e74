from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from edgecheck.core.cost_calibration import Timed, calibrated, chosen, usable
from edgecheck.core.costs import Setting, estimate
from edgecheck.core.counted import Counted
from edgecheck.core.device import Costs, CostSet
from tests.core.test_costs import COSTS

CLOCK = 1.5e9


def network(seed: int) -> Counted:
    """Counts as a network has them: of which kind is drawn."""
    drawn = random.Random(seed)
    total = drawn.uniform(10e6, 400e6)
    multiplying = total * drawn.uniform(0.2, 0.8)
    loads, stores = total * drawn.uniform(0.005, 0.05), total * drawn.uniform(0.001, 0.01)
    memory = (loads + stores) * drawn.uniform(0.05, 0.7)
    return Counted(
        instructions=total,
        multiplying=multiplying,
        l1_loads=loads,
        l1_stores=stores,
        l2=((1 << 20, memory),),
        cycles=(("cortex-a57", total * drawn.uniform(0.5, 1.2)),),
    )


def timed(costs: Costs, count: int, noise: float = 0.0) -> list[Timed]:
    """Networks whose times are what the costs say, apart from noise."""
    drawn, found = random.Random(7), []
    for seed in range(count):
        told = estimate(network(seed), Setting(costs=costs, clock=CLOCK, runtime=costs.runtime))
        assert told is not None
        found.append(Timed(f"network-{seed}", network(seed), told.parts.total * math.exp(drawn.gauss(0, noise))))
    return found


def scaled(costs: CostSet, factor: float) -> CostSet:
    return replace(
        costs,
        **{name: getattr(costs, name) * factor for name in ("work", "instruction", "l1", "store", "l2")},
    )


def test_costs_are_usable_where_every_network_was_counted_as_they_need_it() -> None:
    plain = replace(network(1), cycles=())
    assert usable([network(0), network(1)], COSTS) == ("counted", "modelled")
    assert usable([network(0), plain], COSTS) == ("counted",)
    assert usable([network(0), plain], replace(COSTS, counted=None)) == ()
    assert usable([network(0), replace(network(1), multiplying=0.0)], replace(COSTS, modelled=None)) == ()


def test_a_slower_device_of_the_core_is_one_factor() -> None:
    assert COSTS.modelled is not None
    slower = replace(COSTS, modelled=scaled(COSTS.modelled, 1.3), counted=None)
    fit = calibrated(timed(slower, 3), replace(COSTS, counted=None, spread=0.25), CLOCK, "tflite-runtime")
    assert fit.costs.modelled is not None
    assert fit.costs.modelled.work == pytest.approx(COSTS.modelled.work * 1.3)
    assert fit.costs.modelled.l2 == pytest.approx(COSTS.modelled.l2 * 1.3)
    assert fit.error == pytest.approx(0.0, abs=1e-9)
    assert not fit.wants_more
    assert (fit.costs.runtime, fit.costs.networks, fit.costs.spread) == ("tflite-runtime", 3, 0.0)


def test_a_device_with_other_memory_has_costs_of_its_own() -> None:
    assert COSTS.modelled is not None
    other = replace(COSTS, modelled=replace(COSTS.modelled, l2=40e-9), counted=None)
    fit = calibrated(timed(other, 8), replace(COSTS, counted=None), CLOCK, "ncnn")
    assert not fit.factor_only
    assert fit.costs.modelled is not None
    assert fit.costs.modelled.l2 > 20e-9
    assert fit.error < 0.2


def test_networks_that_contradict_each_other_want_more() -> None:
    fit = calibrated(timed(COSTS, 3, noise=0.5), COSTS, CLOCK, "ncnn")
    assert fit.wants_more
    assert COSTS.modelled is not None
    assert fit.costs.modelled is not None
    assert fit.costs.modelled.within > COSTS.modelled.within


def test_two_networks_have_no_error_of_their_own() -> None:
    fit = calibrated(timed(COSTS, 2), COSTS, CLOCK, "ncnn")
    assert fit.error == math.inf
    assert fit.wants_more


def test_without_cycles_only_what_was_counted_is_fitted() -> None:
    without = [replace(each, counted=replace(each.counted, cycles=())) for each in timed(COSTS, 4)]
    fit = calibrated(without, COSTS, CLOCK, "ncnn")
    assert fit.costs.modelled is None
    assert fit.costs.counted is not None


def test_the_networks_that_are_chosen_differ() -> None:
    """Of many that are alike, one; and the one that waits for memory."""
    alike = {f"alike-{at}": replace(network(1), instructions=network(1).instructions + at) for at in range(5)}
    waits = replace(network(1), l2=((1 << 20, 60e6),))
    first = chosen({**alike, "waits": waits, "other": network(2)}, COSTS, CLOCK, 3)
    assert len(first) == len(set(first)) == 3
    assert "waits" in first
    assert sum(name.startswith("alike") for name in first) <= 1
    assert chosen(alike, COSTS, CLOCK, 8) != ()
    assert len(chosen(alike, COSTS, CLOCK, 8)) == 5


@pytest.mark.parametrize("latency", [0.0, -1.0, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(latency: float) -> None:
    with pytest.raises(ValueError, match="took"):
        calibrated([Timed("x", network(1), latency)], COSTS, CLOCK, "ncnn")


def test_counts_that_do_not_fit_the_costs_are_refused() -> None:
    with pytest.raises(ValueError, match="not counted"):
        calibrated([Timed("x", replace(network(1), cycles=()), 1.0)], replace(COSTS, counted=None), CLOCK, "ncnn")
