"""Costs of counted inferences.

Also covers `counted.py`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edgecheck.core.costs import Setting, estimate
from edgecheck.core.counted import Counted
from edgecheck.core.device import Costs, CostSet, Scaling

MODELLED = CostSet(work=0.5, instruction=1.0, l1=10.0, store=2e-9, l2=5e-9, within=1.1)
COUNTED = CostSet(work=0.6, instruction=1.0, l1=10.0, store=2e-9, l2=5e-9, within=1.2)
COSTS = Costs(
    l2_size=1 << 20,
    runtime="ncnn",
    networks=34,
    source="a table",
    model="cortex-a57",
    modelled=MODELLED,
    counted=COUNTED,
)
SEEN = Counted(
    instructions=100e6,
    multiplying=60e6,
    l1_loads=1.5e6,
    l1_stores=0.5e6,
    l2=((512 << 10, 2e6), (1 << 20, 1e6)),
    cycles=(("cortex-a57", 80e6),),
)
SETTING = Setting(costs=COSTS, clock=2e9, runtime="ncnn")


def test_a_latency_is_the_sum_of_what_each_event_costs() -> None:
    found = estimate(SEEN, SETTING)
    assert found is not None
    assert (found.modelled, found.doubts) == (True, ())
    parts = found.parts
    assert (parts.computing, parts.instructions, parts.first_level, parts.memory) == pytest.approx(
        (0.5 * 80e6 / 2e9, 40e6 / 2e9, 10 * 2e6 / 2e9, 0.5e6 * 2e-9 + 1e6 * 5e-9)
    )
    assert found.interval.estimate == pytest.approx(0.056)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.056 / 1.1, 0.056 * 1.1))


@pytest.mark.parametrize("changes", [{"cycles": ()}, {"cycles": (("neoverse-n1", 1e6),)}])
def test_without_cycles_of_the_devices_core_multiplications_are_the_work(changes: dict[str, object]) -> None:
    found = estimate(replace(SEEN, **changes), SETTING)  # type: ignore[arg-type]
    assert found is not None
    assert not found.modelled
    assert found.parts.computing == pytest.approx(0.6 * 60e6 / 2e9)
    assert found.interval.high / found.interval.estimate == pytest.approx(1.2)


def test_a_second_level_that_was_not_simulated_is_not_guessed() -> None:
    assert estimate(SEEN, replace(SETTING, costs=replace(COSTS, l2_size=1 << 21))) is None


def test_a_runtime_and_a_device_that_were_not_measured_widen_the_interval() -> None:
    found = estimate(SEEN, replace(SETTING, runtime="onnxruntime", costs=replace(COSTS, spread=0.25)))
    assert found is not None
    width = math.hypot(math.log(1.1), 1.6449 * 0.15, 1.6449 * 0.25)
    assert found.interval.high == pytest.approx(0.056 * math.exp(width))
    assert found.doubts == ("onnxruntime was not measured there", "this device was not measured")


def test_fits_that_disagree_widen_the_interval_by_as_much() -> None:
    other = replace(COSTS, counted=replace(COUNTED, work=3.0))
    found = estimate(SEEN, replace(SETTING, costs=other))
    assert found is not None
    apart = (3.0 * 60e6 / 2e9 + 0.036) / 0.056
    assert found.interval.estimate == pytest.approx(0.056)
    assert found.interval.high == pytest.approx(0.056 * math.exp(math.hypot(math.log(1.1), math.log(apart))))
    assert found.doubts == ("two fits are 2.2 x apart: no network like it was fitted",)


def test_threads_share_one_memory() -> None:
    found = estimate(SEEN, replace(SETTING, threads=Scaling(2.5, 0.24)))
    assert found is not None
    assert found.interval.estimate == pytest.approx(0.05 / 2.5 + 0.006)
    assert found.interval.high / found.interval.estimate == pytest.approx(
        math.exp(math.hypot(math.log(1.1), 1.6449 * 0.24))
    )


def test_what_costs_nothing_is_not_a_latency() -> None:
    nothing = replace(MODELLED, work=0.0, instruction=0.0, l1=0.0, store=0.0, l2=0.0)
    assert estimate(SEEN, replace(SETTING, costs=replace(COSTS, modelled=nothing, counted=None))) is None
