"""What counts of an emulated machine say about the device. Covers `projection.py`."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edgecheck.core.device import Constant, Projection, Scaling
from edgecheck.core.finding import Evidence, Finding, Measurement, Unmeasured
from edgecheck.core.measurement import measure
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.projection import Counters, project
from edgecheck.core.run import Activity, Ending, Outcome, Purpose, Run, WorkerRun
from tests.builders import ARTIFACT, MIB, died, memory_worker, profile, run
from tests.core.test_costs import COSTS, SEEN

CONSTANT = Constant(0.8, 0.14, "ncnn")
DEVICE = profile(projection=Projection(float=CONSTANT, int8=Constant(0.66, 0.16, "onnxruntime")))
COUNTED = WorkerRun(purpose=Purpose.DETERMINISTIC, batches=((1, 101_000_000), (1, 100_000_000)), agreed=True)


def finding(metric: str, seen: Run, **changes: object) -> Finding:
    evidence = replace(Evidence(artifact=ARTIFACT, run=seen, profile=DEVICE), **changes)  # type: ignore[arg-type]
    return measure(METRICS[metric], evidence)


def value(metric: str, seen: Run, **changes: object) -> Measurement:
    found = finding(metric, seen, **changes)
    assert isinstance(found, Measurement), found
    return found


def emulated(*workers: WorkerRun, fit: tuple[WorkerRun, ...] = ()) -> Run:
    return run(*workers, emulated=True, target="qemu", fit=fit)


def test_instructions_are_those_of_the_last_batch() -> None:
    found = value("instructions", emulated(replace(COUNTED, batches=((20, 2_100), (20, 2_000)))))
    assert (found.value, found.provenance) == (100, Provenance.EMULATED)


def test_counts_that_do_not_settle_are_unmeasured() -> None:
    found = finding("instructions", emulated(replace(COUNTED, agreed=False)))
    assert isinstance(found, Unmeasured)
    assert found.reason == "the counts of 2 batches did not settle"
    projected = finding("latency_p50", emulated(replace(COUNTED, agreed=False)))
    assert isinstance(projected, Unmeasured)
    assert projected.reason == found.reason


def test_a_projection_is_an_interval_that_another_runtime_widens() -> None:
    found = value("latency_p50", emulated(COUNTED))
    assert found.provenance is Provenance.PROJECTED
    assert found.interval
    assert found.value == pytest.approx(0.080)
    spread = math.hypot(0.14, 0.25)
    assert (found.low, found.high) == pytest.approx(
        (0.080 / math.exp(1.6449 * spread), 0.080 * math.exp(1.6449 * spread))
    )


def test_int8_has_a_separate_constant_whose_runtime_keeps_it_narrow() -> None:
    found = value("latency_p50", emulated(COUNTED), artifact=replace(ARTIFACT, arithmetic="int8"))
    assert found.value == pytest.approx(0.066)
    assert found.high == pytest.approx(0.066 * math.exp(1.6449 * 0.16))


def test_threads_are_scaled_where_the_profile_says_how() -> None:
    scaled = replace(DEVICE, projection=replace(DEVICE.projection, thread_scaling={4: Scaling(2.5, 0.24)}))
    found = value("latency_p50", emulated(COUNTED), profile=scaled, threads=4)
    assert found.value == pytest.approx(0.032)
    assert found.high == pytest.approx(0.032 * math.exp(1.6449 * math.hypot(0.14, 0.25, 0.24)))
    assert found.basis == "100M instructions at 0.8 ns over 2.5 (4 threads)"


#: What a plugin counts of 100 million instructions, and costs for it: 56 ms (tests/core/test_costs.py).
MISSES = replace(COUNTED, batches=((1, 100_000_000),), counted=SEEN)
COSTLY = replace(DEVICE, cpu=replace(DEVICE.cpu, clock=2e9), projection=replace(DEVICE.projection, costs=COSTS))


def test_where_misses_were_counted_the_latency_is_what_they_cost() -> None:
    found = value("latency_p50", emulated(MISSES), profile=COSTLY)
    assert found.value == pytest.approx(0.056)
    assert found.high == pytest.approx(0.056 * math.exp(math.hypot(math.log(1.1), 1.6449 * 0.15)))
    assert found.basis == (
        "computing 36 %, instructions 36 %, first level 18 %, memory 11 %; "
        "wider because onnxruntime was not measured there"
    )


def test_without_cycles_the_basis_says_how_to_have_them() -> None:
    found = value("latency_p50", emulated(replace(MISSES, counted=replace(SEEN, cycles=()))), profile=COSTLY)
    assert found.value == pytest.approx(0.054)
    assert "; narrower with llvm-mca 19 or later on this machine; " in found.basis


def test_memory_is_not_quicker_with_threads() -> None:
    projection = replace(COSTLY.projection, thread_scaling={4: Scaling(2.5, 0.24)})
    found = value("latency_p50", emulated(MISSES), profile=replace(COSTLY, projection=projection), threads=4)
    assert found.value == pytest.approx(0.05 / 2.5 + 0.006)
    assert "; 4 threads 2.5 x as fast, except for memory; " in found.basis


@pytest.mark.parametrize(
    "without",
    [{"seen": emulated(COUNTED)}, {"profile": DEVICE}, {"profile": replace(COSTLY, projection=DEVICE.projection)}],
)
def test_without_counts_or_costs_it_is_instructions_times_the_constant(without: dict[str, object]) -> None:
    given: dict[str, object] = {"seen": emulated(MISSES), "profile": COSTLY} | without
    found = value("latency_p50", given.pop("seen"), **given)  # type: ignore[arg-type]
    assert found.value == pytest.approx(0.080)
    assert found.basis == "100M instructions at 0.8 ns"


def test_a_single_inference_says_what_it_was_compared_with() -> None:
    assert value("instructions", emulated(MISSES)).basis == "one inference after the first, within 15 % of it"


def test_what_is_derived_says_so() -> None:
    derived = profile(
        projection=Projection(float=CONSTANT, derived_from="snapdragon-855-plus (2.96 GHz), scaled by clock")
    )
    assert (
        "the constant is that of snapdragon-855-plus" in value("latency_p50", emulated(COUNTED), profile=derived).basis
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"profile": profile()}, "the profile has no constants to project it with"),
        ({"profile": None}, "the profile has no constants to project it with"),
        ({"threads": 4}, "one thread is projected: the profile has no thread_scaling for the 4 of the budget"),
    ],
)
def test_what_cannot_be_projected(changes: dict[str, object], reason: str) -> None:
    found = finding("latency_p50", emulated(COUNTED), **changes)
    assert isinstance(found, Unmeasured)
    assert (found.reason, found.fails) == (reason, False)


def test_tails_and_load_times_are_not_judged_on_an_emulated_machine() -> None:
    unseen = ("latency_p90", "latency_first", "load_time", "load_time_cached", "latency_mean", "offloaded")
    for metric in (*unseen, "ram_accelerator"):
        found = finding(metric, emulated(COUNTED))
        assert isinstance(found, Unmeasured)
        assert not found.fails


def test_memory_is_the_kernels_mark() -> None:
    assert value("ram_peak", emulated(memory_worker(30 * MIB, 50 * MIB))).provenance is Provenance.EMULATED


def test_a_model_killed_in_the_devices_memory_fails_whatever_it_took_with_more() -> None:
    ending = Ending(
        outcome=Outcome.KILLED_FOR_MEMORY,
        during=Activity.LOAD,
        reason="out-of-memory",
        message="the kernel killed the process for memory",
    )
    roomy = memory_worker(30 * MIB, 300 * MIB)
    found = finding("ram_peak", emulated(roomy, fit=(died(Purpose.MEMORY, ending),)))
    assert isinstance(found, Unmeasured)
    assert found.fails
    assert found.reason == (
        "in a machine with the device's RAM the kernel killed the process for memory (with more RAM it takes 300 MiB)"
    )
    assert value("ram_peak", emulated(roomy, fit=(roomy,))).value == 300 * MIB


def test_an_illegal_instruction_names_the_core_and_the_runtime() -> None:
    said = "the process used an instruction that this processor does not have (SIGILL) in the first inference"
    ending = Ending(outcome=Outcome.CRASHED, during=Activity.FIRST_INFERENCE, reason="", message=said, signal="SIGILL")
    seen = emulated(died(Purpose.DETERMINISTIC, ending))
    for metric in ("instructions", "ram_peak"):
        found = finding(metric, seen, profile=profile(emulation_cpu="cortex-a53"))
        assert isinstance(found, Unmeasured)
        assert (found.reason, found.fails) == (f"{said}: onnxruntime 1.32.0 on cortex-a53", True)


def test_the_machine_counted_nothing() -> None:
    found = finding("instructions", emulated(replace(COUNTED, batches=())))
    assert isinstance(found, Unmeasured)
    assert found.reason == "the emulated machine counted nothing"


def test_projection_by_hand() -> None:
    interval = project(Counters(1e9), Constant(1.0, 0.0, "x"), "x")
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((1.0, 1.0, 1.0))
