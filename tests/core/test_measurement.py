"""What each metric reads from a run. Covers `readers.py` and `run.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.core.finding import Evidence, Likeness, Measurement, Unmeasured
from edgecheck.core.measurement import measure, measure_all
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.run import (
    AcceleratorMemory,
    Activity,
    Ending,
    LookCount,
    Note,
    Outcome,
    Phase,
    Purpose,
    Run,
    WorkerRun,
)
from tests.builders import ARTIFACT, MIB, died, latency_worker, memory_worker, run


def value(metric: str, seen: Run | None) -> Measurement:
    finding = measure(METRICS[metric], Evidence(artifact=ARTIFACT, run=seen))
    assert isinstance(finding, Measurement), finding
    return finding


def reason(metric: str, seen: Run | None) -> Unmeasured:
    finding = measure(METRICS[metric], Evidence(artifact=ARTIFACT, run=seen))
    assert isinstance(finding, Unmeasured), finding
    return finding


def test_static_figures_need_no_run() -> None:
    assert value("size", None).value == 1_500_000
    assert value("download", None).value == 1_200_000
    assert value("size", None).provenance is Provenance.STATIC
    assert reason("params", None).reason == "params cannot be read from onnx files yet"
    assert reason("ram_peak", None).reason == "nothing was run"


def test_the_footprint_is_the_artifact_and_its_runtime() -> None:
    finding = measure(METRICS["footprint"], Evidence(artifact=ARTIFACT, runtime_size=100_000_000))
    assert isinstance(finding, Measurement)
    assert (finding.value, finding.basis) == (101_500_000, "the artifact and 100 MB of runtime")
    assert reason("footprint", None).reason == "the runtime that is deployed with it is not known"
    unknown = measure(METRICS["footprint"], Evidence(artifact=ARTIFACT, runtime_problem="no wheel fits"))
    assert isinstance(unknown, Unmeasured)
    assert unknown.reason == "no wheel fits"


def test_ram_is_the_highest_of_the_processes() -> None:
    seen = run(memory_worker(40 * MIB, 60 * MIB), memory_worker(41 * MIB, 62 * MIB))
    peak, model = value("ram_peak", seen), value("ram_model", seen)
    assert (peak.value, peak.low, peak.high, peak.count) == (62 * MIB, 60 * MIB, 62 * MIB, 2)
    assert model.value == 21 * MIB
    assert peak.basis == "highest of 2 processes"
    assert peak.provenance is Provenance.MEASURED


def test_memory_on_an_accelerator_is_the_highest_of_the_processes_with_who_said_so() -> None:
    taken = [AcceleratorMemory(mib * MIB, "nvml", "what the process holds by NVML") for mib in (350, 352)]
    workers = [replace(memory_worker(40 * MIB, 60 * MIB), accelerator_memory=each) for each in taken]
    found = value("ram_accelerator", run(*workers))
    assert (found.value, found.low, found.count) == (352 * MIB, 350 * MIB, 2)
    assert found.basis == "highest of 2 processes: what the process holds by NVML"
    assert found.provenance is Provenance.MEASURED


def test_without_an_accelerator_there_is_no_memory_on_it() -> None:
    found = reason("ram_accelerator", run(memory_worker(40 * MIB, 60 * MIB)))
    expected = "no memory on an accelerator was reported: `accelerator:` in the budget names one"
    assert (found.reason, found.fails) == (expected, False)


def test_without_a_psutil_the_basis_says_where_the_samples_are_from() -> None:
    worker = replace(memory_worker(40 * MIB, 60 * MIB, ((0.1, 59 * MIB),)), sampler="/proc")
    assert value("ram_peak", run(worker, worker)).basis == "highest of 2 processes, sampled from /proc"


def test_without_a_kernels_mark_the_samples_decide() -> None:
    worker = replace(memory_worker(40 * MIB, 60 * MIB), samples=((0.0, 50 * MIB), (0.1, 70 * MIB)))
    bare = replace(worker, marks=tuple(replace(one, peak_rss=None) for one in worker.marks))
    assert value("ram_peak", run(bare)).value == 70 * MIB
    assert bare.mark(Phase.FIRST_INFERENCE) is None


def test_without_any_memory_reading_there_is_no_figure() -> None:
    blind = WorkerRun(purpose=Purpose.MEMORY)
    assert reason("ram_peak", run(blind)).reason == "local returned no figure for ram_peak"
    assert reason("ram_model", run(blind)).reason == "local returned no figure for ram_model"


def test_load_time_is_the_median_over_fresh_processes() -> None:
    loads = [replace(latency_worker(), purpose=Purpose.LOAD, load_time=seconds) for seconds in (3.0, 1.0, 9.0, 2.0)]
    assert isinstance(
        measure(METRICS["load_time"], Evidence(artifact=ARTIFACT, run=run(*loads))), Unmeasured
    )  # four are too few
    finding = value("load_time", run(latency_worker(0.1, load_time=5.0), *loads))
    assert (finding.value, finding.low, finding.high, finding.count) == (3.0, 1.0, 9.0, 5)
    assert value("latency_first", run(*loads, *loads)).value == 0.02
    assert isinstance(
        measure(METRICS["load_time"], Evidence(artifact=ARTIFACT, run=run(WorkerRun(purpose=Purpose.LOAD)))), Unmeasured
    )


def test_percentiles_come_with_bounds_and_counts() -> None:
    latencies = [0.010 + at * 1e-5 for at in range(1000)]
    count = LookCount(limit="latency_p90:error", inferences=1000, exceedances=3, block=4, decision="pass")
    finding = value("latency_p90", run(latency_worker(*latencies, counts=(count,))))
    assert finding.value == pytest.approx(0.01899)
    assert finding.low is not None
    assert finding.high is not None
    assert finding.low < finding.value < finding.high
    assert finding.counts == {"latency_p90:error": count}
    assert finding.basis == "1,000 inferences over 15.0 s"
    thinned = replace(latency_worker(*latencies), span=20.0)
    for name in ("latency_p50", "latency_mean"):
        found = value(name, run(thinned))
        assert (found.basis, found.span) == ("1,000 inferences over 20.0 s", 20.0)
    assert value("latency_p50", run(latency_worker(*latencies))).counts == {}


def test_a_phone_that_was_still_hot_has_no_times_and_its_memory_all_the_same() -> None:
    note = Note("hot", "the phone was still hot after 300 s (battery at 43.1 °C)")
    seen = run(latency_worker(*[0.01] * 50), memory_worker(40 * MIB, 60 * MIB), notes=(note,))
    assert reason("latency_p50", seen).reason == note.message
    assert not reason("latency_p50", seen).fails
    assert value("ram_peak", seen).value == 60 * MIB


def test_the_mean_is_an_interval() -> None:
    finding = value("latency_mean", run(latency_worker(*([0.01, 0.02] * 200))))
    assert finding.interval
    assert finding.value == pytest.approx(0.015)
    assert value("latency_mean", run(latency_worker(0.5))).low is None
    assert isinstance(
        measure(METRICS["latency_mean"], Evidence(artifact=ARTIFACT, run=run(latency_worker()))), Unmeasured
    )
    assert isinstance(
        measure(METRICS["latency_p50"], Evidence(artifact=ARTIFACT, run=run(latency_worker()))), Unmeasured
    )


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [
        (
            Ending(
                outcome=Outcome.CRASHED,
                during=Activity.FIRST_INFERENCE,
                reason="",
                message="the process died of SIGSEGV in the first inference",
            ),
            "the process died of SIGSEGV in the first inference",
        ),
        (
            Ending(outcome=Outcome.REFUSED, during=Activity.LOAD, reason="flex-operator", message="it needs FlexErf"),
            "refused by the runtime while the model was loaded: it needs FlexErf",
        ),
    ],
)
def test_a_workers_death_is_a_failure_that_names_its_phase(ending: Ending, sentence: str) -> None:
    finding = reason("ram_peak", run(died(Purpose.MEMORY, ending)))
    assert (finding.reason, finding.fails) == (sentence, True)


def test_one_death_among_several_processes_is_enough() -> None:
    crash = Ending(outcome=Outcome.CRASHED, during=Activity.STEADY, reason="", message="SIGABRT")
    assert reason("ram_peak", run(memory_worker(1, 2), died(Purpose.MEMORY, crash))).fails


@pytest.mark.parametrize(
    "code",
    ["open-dimension", "missing-runtime", "wrong-sample", "made-up-input", "input-type", "missing-external-data"],
)
def test_what_is_not_the_models_fault_is_unknown(code: str) -> None:
    ending = Ending(
        outcome=Outcome.REFUSED,
        during=Activity.FIRST_INFERENCE,
        reason=code,
        message="give inputs: {image: [1, H, W, 3]}",
    )
    finding = reason("latency_p50", run(died(Purpose.LATENCY, ending)))
    assert (finding.reason, finding.fails) == ("give inputs: {image: [1, H, W, 3]}", False)


def test_a_device_that_throttled_twice_has_no_times_but_its_memory() -> None:
    seen = run(latency_worker(*[0.01] * 50), memory_worker(40 * MIB, 60 * MIB), throttled="under-voltage")
    assert reason("latency_p50", seen).reason == (
        "the device throttled twice (under-voltage): fix its power supply or cooling"
    )
    assert value("ram_peak", seen).value == 60 * MIB


def test_a_broken_connection_is_unknown() -> None:
    assert reason("ram_peak", run(broken="the connection was lost")).reason == "the connection was lost"
    assert not reason("ram_peak", run(broken="the connection was lost")).fails


def test_a_worker_that_somebody_killed_says_nothing_about_the_model() -> None:
    ending = Ending(outcome=Outcome.KILLED, during=Activity.STEADY, signal="SIGTERM", message="something killed it")
    assert reason("ram_peak", run(died(Purpose.MEMORY, ending))) == Unmeasured(
        METRICS["ram_peak"], "something killed it", fails=False
    )
    memory = replace(ending, outcome=Outcome.KILLED_FOR_MEMORY, reason="out-of-memory")
    assert reason("ram_peak", run(died(Purpose.MEMORY, memory))).fails


def test_a_worker_lost_with_the_connection_is_unknown() -> None:
    lost = died(
        Purpose.MEMORY,
        Ending(outcome=Outcome.KILLED, during=Activity.START, reason="lost", message="the connection was lost"),
    )
    assert not reason("ram_peak", run(lost, broken="the connection was lost")).fails


def test_an_emulated_machine_shows_memory_but_no_times() -> None:
    seen = run(memory_worker(40 * MIB, 60 * MIB), latency_worker(*[0.01] * 50), emulated=True)
    assert value("ram_peak", seen).provenance is Provenance.EMULATED
    assert reason("latency_p90", seen).reason == (
        "it depends on what an emulated machine does not model; limit instructions, or measure on the device"
    )


def test_metrics_without_a_reader_say_so() -> None:
    assert reason("instructions", run(latency_worker(0.1))).reason == "instructions is not measured on local"


def test_agreement_with_the_source_model() -> None:
    seen = Likeness(agreement=0.997, top1=None, samples=16, basis="16 samples")
    found = measure(METRICS["agreement"], Evidence(artifact=ARTIFACT, likeness=seen))
    assert isinstance(found, Measurement)
    assert (found.value, found.count, found.basis) == (0.997, 16, "16 samples")
    assert measure(METRICS["top1"], Evidence(artifact=ARTIFACT, likeness=seen)) == Unmeasured(
        METRICS["top1"], "the outputs are not class scores"
    )
    assert reason("agreement", None).reason == "the artifact was not compared with its source"
    failed = measure(METRICS["agreement"], Evidence(artifact=ARTIFACT, likeness_problem="keras is not installed here."))
    assert isinstance(failed, Unmeasured)
    assert failed.reason == "keras is not installed here."


def test_measure_all() -> None:
    findings = measure_all(Evidence(artifact=ARTIFACT, run=run(memory_worker(1, 2))))
    assert list(findings) == list(METRICS)
