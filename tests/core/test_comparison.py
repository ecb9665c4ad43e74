"""Growth from a baseline: exact figures by value, times by a test, and nothing across machines."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.core import comparison
from edgecheck.core.accelerator import Accelerator
from edgecheck.core.comparison import Side, differences, judged_against, probability_of_larger
from edgecheck.core.finding import Evidence, Measurement, Unmeasured
from edgecheck.core.limits import Allowance, OnUnknown, Source
from edgecheck.core.measurement import measure_all
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.run import DeviceState, Ending, Outcome, Purpose, Run, RuntimeFacts
from edgecheck.core.verdict import Status, Verdict
from tests.builders import ARTIFACT, MIB, latency_worker, memory_worker, run
from tests.reports import sample
from tests.reports.sample import PROFILE, result

HERE = Source("budget", "b.yaml", 12)


def allow(metric: str, growth: float, floor: float = 0.0, **changes: Any) -> Allowance:
    return replace(Allowance(metric=METRICS[metric], growth=growth, source=HERE, floor=floor), **changes)


def figured(**values: float) -> CheckResult:
    """A check with these figures, read from files."""
    found = {
        name: Measurement(metric=METRICS[name], value=value, provenance=Provenance.STATIC)
        for name, value in values.items()
    }
    return replace(result(None), verdicts=(), findings=found)


def ran(seen: Run, size: int = ARTIFACT.size) -> CheckResult:
    findings = measure_all(Evidence(artifact=replace(ARTIFACT, size=size), run=seen, profile=PROFILE))
    return replace(result(seen), verdicts=(), findings=findings)


def reported(one: CheckResult, host: str = "Linux x86_64 ci") -> Report:
    return Report(results=(one,), version="0.1.0", host=host, started="2026-01-01T00:00:00+00:00", seconds=1.0)


def verdict(head: CheckResult, base: CheckResult, rule: Allowance, origin: CheckResult | None = None) -> Verdict:
    side = Side(head, "Linux x86_64 ci")
    (only,) = judged_against(side, [rule], reported(base), reported(origin) if origin else None).verdicts
    return only


@pytest.mark.parametrize(
    ("metric", "rule", "base", "head", "status"),
    [
        ("size", (0.01,), 1_000_000, 1_010_000, Status.PASS),
        ("size", (0.01,), 1_000_000, 1_010_001, Status.FAIL),
        ("size", (0.01,), 1_000_000, 500_000, Status.PASS),
        ("size", (0.0,), 1_000_000, 1_000_001, Status.FAIL),
        ("size", (0.01, 20_000), 1_000_000, 1_020_000, Status.PASS),
        ("size", (0.01, 20_000), 1_000_000, 1_020_001, Status.FAIL),
        ("size", (0.05, 20_000), 1_000_000, 1_050_000, Status.PASS),
        ("params", (0.5,), 0, 1, Status.FAIL),
        ("agreement", (0.01,), 1.0, 0.99, Status.PASS),
        ("agreement", (0.01,), 1.0, 0.9899, Status.FAIL),
        ("agreement", (0.0, 0.05), 0.9, 0.86, Status.PASS),
        ("agreement", (0.01,), 0.9, 1.0, Status.PASS),
        ("size", (0.01,), 1_000_000, math.nan, Status.FAIL),
        ("size", (0.01,), math.nan, 1_000_000, Status.UNKNOWN),
    ],
)
def test_an_exact_figure_by_value(
    metric: str, rule: tuple[float, ...], base: float, head: float, status: Status
) -> None:
    found = verdict(figured(**{metric: head}), figured(**{metric: base}), allow(metric, *rule))
    assert found.status is status
    assert (found.reason == "") is (status is Status.PASS)


def test_a_regression_says_how_much_and_where_the_rule_is() -> None:
    found = verdict(figured(size=1_060_000), figured(size=1_000_000), allow("size", 0.01, 20_000))
    assert found.metric.name == "size vs baseline"
    assert found.bound == found.limit.error == 1_020_000
    assert found.limit.source == HERE
    assert found.reason == "it grew by 6.0% from 1.00 MB; 1% or 20.0 kB, whichever is more is allowed"


def test_what_must_not_fall_says_that_it_fell() -> None:
    found = verdict(figured(agreement=0.9), figured(agreement=1.0), allow("agreement", 0.005))
    assert found.reason == "it fell by 10.0% from 1; 0.5% is allowed"


def test_growth_from_nothing_has_no_share() -> None:
    assert (
        verdict(figured(params=5), figured(params=0), allow("params", 0.1)).reason == "it grew from 0; 10% is allowed"
    )


def test_a_verdict_on_a_limit_stays_next_to_it() -> None:
    whole = result(None)
    judged = judged_against(Side(whole, "ci"), [allow("size", 0.0)], reported(whole))
    assert tuple(replace(verdict, baseline=None) for verdict in judged.verdicts[:-1]) == whole.verdicts
    size = (whole.findings or {})["size"]
    assert [verdict.baseline for verdict in judged.verdicts if verdict.metric.unit is size.metric.unit][:1] == [size]
    assert judged.verdicts[-1].status is Status.PASS


@pytest.mark.parametrize("change", ["budget", "variant", "profile"])
def test_a_new_check_has_nothing_to_regress_from_and_a_caveat_says_so(change: str) -> None:
    head, base = figured(size=2), figured(size=1)
    others = {
        "budget": replace(base.budget, path="other.yaml"),
        "variant": replace(base.variant, name="int8"),
        "profile": replace(base.profile, id="raspberry-pi-5"),
    }
    other = replace(base, **{change: others[change]})  # type: ignore[arg-type]
    judged = judged_against(Side(head, "ci"), [allow("size", 0.0)], reported(other))
    assert judged.verdicts == ()
    assert [caveat.code for caveat in judged.caveats] == ["no-baseline"]


def test_without_rules_nothing_is_said() -> None:
    head = figured(size=2)
    empty = Report(results=(), version="0.1.0", host="ci", started="2026-01-01T00:00:00+00:00", seconds=1.0)
    assert judged_against(Side(head, "ci"), [], empty) == head


@pytest.mark.parametrize(
    ("now", "then", "status", "reason"),
    [
        (Unmeasured(METRICS["size"], "it crashed", fails=True), 1.0, Status.FAIL, "it crashed"),
        (Unmeasured(METRICS["size"], "nothing was run"), 1.0, Status.UNKNOWN, "nothing was run"),
        (None, 1.0, Status.UNKNOWN, "it has no figure"),
        (1.0, None, Status.UNKNOWN, "the baseline has no figure"),
        (1.0, Unmeasured(METRICS["size"], "?"), Status.UNKNOWN, "the baseline has no figure"),
    ],
)
def test_a_missing_figure_is_not_a_pass(now: Any, then: Any, status: Status, reason: str) -> None:
    sides = []
    for value in (now, then):
        figure = (
            Measurement(metric=METRICS["size"], value=value, provenance=Provenance.STATIC)
            if isinstance(value, float)
            else value
        )
        sides.append(replace(figured(), findings={"size": figure} if figure else {}))
    found = verdict(sides[0], sides[1], allow("size", 0.5))
    assert (found.status, found.reason) == (status, reason)
    assert math.isfinite(found.bound)


@pytest.mark.parametrize(
    ("rule", "status", "ignored"),
    [
        (OnUnknown.UNKNOWN, Status.UNKNOWN, False),
        (OnUnknown.IGNORE, Status.UNKNOWN, True),
        (OnUnknown.WARN, Status.WARN, False),
        (OnUnknown.FAIL, Status.FAIL, False),
    ],
)
def test_what_is_unknown_counts_as_the_budget_says(rule: OnUnknown, status: Status, *, ignored: bool) -> None:
    found = verdict(figured(), figured(size=1), allow("size", 0.5, on_unknown=rule))
    assert (found.status, found.ignored) == (status, ignored)


def test_earlier_drift_is_reported_as_inherited() -> None:
    base, origin, rule = figured(size=1_000_000), figured(size=1_050_000), allow("size", 0.01)
    inherited = verdict(figured(size=1_055_000), base, rule, origin)
    assert inherited.status is Status.WARN
    assert inherited.reason == (
        "inherited: it grew by 5.5% from 1.00 MB; 1% is allowed; this change adds no more than that"
    )
    own = verdict(figured(size=1_200_000), base, rule, origin)
    assert own.status is Status.FAIL
    assert own.reason.endswith("; since the merge base: it grew by 14.3% from 1.05 MB; 1% is allowed")
    assert verdict(figured(size=1_005_000), base, rule, origin).status is Status.PASS


def series(seed: int, count: int = 2000, level: float = 0.01, noise: float = 0.02) -> tuple[float, ...]:
    random = np.random.default_rng(seed)
    return tuple(float(value) for value in level * np.exp(noise * random.standard_normal(count)))


def timed(*latencies: float, **changes: Any) -> CheckResult:
    return ran(replace(run(latency_worker(*latencies)), **changes))


@pytest.mark.parametrize("metric", ["latency_p50", "latency_p90", "latency_mean"])
@pytest.mark.parametrize(
    ("factor", "status"), [(1.0, Status.PASS), (1.05, Status.PASS), (1.1, Status.UNKNOWN), (1.15, Status.FAIL)]
)
def test_a_measured_latency_by_a_test_on_its_samples(metric: str, factor: float, status: Status) -> None:
    head, base = timed(*series(1, level=0.01 * factor)), timed(*series(2))
    assert verdict(head, base, allow(metric, 0.1)).status is status


def test_an_answer_on_latencies_says_how_sure_it_is() -> None:
    base = timed(*series(2))
    fail = verdict(timed(*series(1, level=0.012)), base, allow("latency_p50", 0.1, 0.0005))
    assert fail.reason == (
        "it grew by 20.0% from 9.99 ms, by a test with an error of 1%; 10% or 500 us, whichever is more is allowed"
    )
    unknown = verdict(timed(*series(1, level=0.011)), base, allow("latency_p50", 0.1))
    assert unknown.reason == ("it grew by 10.0% from 9.99 ms; whether by more than 10% is not certain: measure longer")


def test_the_floor_forgives_what_is_less_than_the_noise() -> None:
    head, base = timed(*series(1, level=0.013)), timed(*series(2))
    assert verdict(head, base, allow("latency_p50", 0.01, 0.004)).status is Status.PASS
    assert verdict(head, base, allow("latency_p50", 0.01, 0.002)).status is Status.FAIL


def test_without_inferences_there_are_no_samples() -> None:
    assert comparison.batch_figures((), 0.5) == []
    assert comparison.inferences_for_batches((), 0.5) == 1


def test_three_inferences_are_too_few_samples() -> None:
    found = verdict(timed(0.01, 0.01, 0.011), timed(0.01, 0.01, 0.01), allow("latency_p50", 0.5))
    assert found.status is Status.UNKNOWN
    assert found.reason == "there are too few inferences to compare: set `measure: {min_count: 400}`"


RUNS = 250


def _bursty(random: np.random.Generator, count: int) -> tuple[float, ...]:
    """Of 300 inferences in a row, which a disturbance slows by half for 20 at a time."""
    slow = np.repeat(random.random(count // 20) < 0.5, 20)
    return tuple((0.01 * np.where(slow, 1.5, 1.0) * np.exp(0.02 * random.standard_normal(count))).tolist())


def test_at_the_boundary_an_answer_is_wrong_once_in_a_hundred() -> None:
    """Head and base are alike and nothing may grow, so that a fail and a pass are both wrong and both likeliest."""
    random = np.random.default_rng(7)
    rule = allow("latency_p50", 0.0)
    answers = [verdict(timed(*_bursty(random, 600)), timed(*_bursty(random, 600)), rule).status for _ in range(RUNS)]
    most = RUNS * 0.01 + 3 * math.sqrt(RUNS * 0.01 * 0.99)
    assert answers.count(Status.FAIL) <= most
    assert answers.count(Status.PASS) <= most


def processes(*load_times: float) -> CheckResult:
    workers = [latency_worker(purpose=Purpose.LOAD, load_time=time, first_inference=2 * time) for time in load_times]
    return ran(run(*workers))


@pytest.mark.parametrize("metric", ["load_time", "latency_first"])
@pytest.mark.parametrize(
    ("now", "status"),
    [
        ((0.10, 0.11, 0.12, 0.13, 0.14), Status.PASS),
        ((0.20, 0.21, 0.22, 0.23, 0.24), Status.FAIL),
        ((0.14, 0.15, 0.16, 0.17, 0.18), Status.UNKNOWN),
    ],
)
def test_fresh_processes_by_a_rank_test(metric: str, now: tuple[float, ...], status: Status) -> None:
    found = verdict(processes(*now), processes(0.10, 0.11, 0.12, 0.13, 0.14), allow(metric, 0.4))
    assert found.status is status


def test_one_slow_process_is_not_a_regression() -> None:
    base = (0.10, 0.11, 0.12, 0.13, 0.14)
    assert verdict(processes(*base[:4], 9.0), processes(*base), allow("load_time", 0.1)).status is not Status.FAIL


def test_the_answer_on_processes_reads_well() -> None:
    base = processes(0.10, 0.11, 0.12, 0.13, 0.14)
    fail = verdict(processes(0.20, 0.21, 0.22, 0.23, 0.24), base, allow("load_time", 0.1))
    assert fail.reason == "it grew by 83.3% from 120 ms, by a test with an error of 1%; 10% is allowed"
    unknown = verdict(base, base, allow("load_time", 0.0))
    assert unknown.reason == ("it stayed at 120 ms; whether by more than 0% is not certain: measure longer")


def test_a_process_that_died_shows_nothing() -> None:
    whole = processes(0.10, 0.11, 0.12, 0.13, 0.14)
    assert whole.run is not None
    crashed = replace(whole.run.workers[0], load_time=99.0, ending=Ending(outcome=Outcome.CRASHED))
    head = replace(whole, run=replace(whole.run, workers=(crashed, *whole.run.workers)))
    assert verdict(head, whole, allow("load_time", 0.5)).status is Status.PASS


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_the_rank_test_is_exact(first: list[int], second: list[int]) -> None:
    pooled = sorted([*first, *second])

    def rank(value: float) -> float:
        places = [at for at, other in enumerate(pooled) if other == value]
        return sum(places) / len(places)

    seen = sum(map(rank, first))
    ways = list(combinations(range(len(pooled)), len(first)))
    above = sum(sum(rank(pooled[at]) for at in way) >= seen - 1e-9 for way in ways)
    assert probability_of_larger(first, second) == pytest.approx(above / len(ways))


def test_the_rank_test_of_nothing_says_nothing() -> None:
    assert probability_of_larger([], [1.0]) == probability_of_larger([1.0], []) == 1.0


BOARD = DeviceState(
    model="Raspberry Pi 4 Model B Rev 1.5",
    machine="aarch64",
    libc="glibc 2.36",
    page_size=4096,
    cpu_names=("Cortex-A72",) * 4,
    cpu_count=4,
    governors=("performance",) * 4,
    ram_total=1900 * MIB,
)
SEEN = replace(run(latency_worker(*series(1))), before=BOARD)


def side(seen: Run | None, host: str = "Linux x86_64 ci") -> Side:
    return Side(result(seen), host)


@pytest.mark.parametrize(
    ("changed", "differ"),
    [
        (
            {"runtime": RuntimeFacts(name="onnxruntime", version="1.33.0")},
            "runtime: now onnxruntime 1.32.0, then onnxruntime 1.33.0",
        ),
        ({"runtime": None}, "runtime: now onnxruntime 1.32.0, then unknown"),
        (
            {"runtime": RuntimeFacts(name="onnxruntime", version="1.32.0", python="3.11.2", numpy="1.26.4")},
            "runtime: now onnxruntime 1.32.0, then onnxruntime 1.32.0 (Python 3.11.2, numpy 1.26.4)",
        ),
        ({"target": "ssh://pi@a"}, "target: now local, then ssh://pi@a"),
        ({"model": "Raspberry Pi 5"}, "board: now Raspberry Pi 4 Model B Rev 1.5, then Raspberry Pi 5"),
        ({"machine": "x86_64"}, "architecture: now aarch64, then x86_64"),
        ({"cpu_names": ("Cortex-A76",) * 4}, "processor: now 4 x Cortex-A72, then 4 x Cortex-A76"),
        ({"cpu_names": (), "cpu_parts": ("0xd08",)}, "processor: now 4 x Cortex-A72, then 4 x 0xd08"),
        ({"cpu_names": ()}, "processor: now 4 x Cortex-A72, then unknown"),
        ({"libc": "glibc 2.41"}, "C library: now glibc 2.36, then glibc 2.41"),
        ({"page_size": 16384}, "page size: now 4096, then 16384"),
        ({"governors": ("ondemand",)}, "governor: now performance, then ondemand"),
        ({"power_mode": "10W"}, "power mode: now unknown, then 10W"),
        ({"ram_total": 3800 * MIB}, "RAM: now 1,900 MiB, then 3,800 MiB"),
    ],
)
def test_differences_are_named(changed: dict[str, Any], differ: str) -> None:
    of_run = {name: value for name, value in changed.items() if name in ("runtime", "target")}
    of_state = {name: value for name, value in changed.items() if name not in of_run}
    base = replace(SEEN, before=replace(BOARD, **of_state), **of_run)
    assert differences(side(SEEN), side(base), Provenance.MEASURED) == (differ,)


def test_times_of_another_machine_are_not_compared() -> None:
    assert differences(side(SEEN), side(SEEN, "Linux x86_64 other"), Provenance.MEASURED) == (
        "machine: now Linux x86_64 ci, then Linux x86_64 other",
    )


def test_a_board_over_ssh_is_the_same_from_any_host() -> None:
    far = replace(SEEN, target="ssh://pi@a")
    assert differences(side(far), side(far, "Linux x86_64 other"), Provenance.MEASURED) == ()


def test_what_is_emulated_is_the_same_on_any_host() -> None:
    assert differences(side(SEEN), side(SEEN, "Linux x86_64 other"), Provenance.EMULATED) == ()


def test_a_little_less_ram_is_another_kernel_not_another_machine() -> None:
    base = replace(SEEN, before=replace(BOARD, ram_total=1895 * MIB))
    assert differences(side(SEEN), side(base), Provenance.MEASURED) == ()


def test_files_are_the_same_everywhere() -> None:
    assert differences(side(SEEN), side(None), Provenance.STATIC) == ()
    assert differences(side(SEEN), side(None), Provenance.MEASURED) == ("only one of the two was run",)


def test_results_of_two_machines_are_not_compared() -> None:
    base = timed(*series(2), before=DeviceState(machine="x86_64"))
    found = verdict(timed(*series(1)), base, allow("latency_p50", 0.5))
    assert found.status is Status.UNKNOWN
    assert found.reason == (
        "not comparable: board: now Raspberry Pi 4 Model B Rev 1.5, then unknown; "
        "architecture: now aarch64, then x86_64"
    )


def test_what_was_emulated_is_not_compared_with_what_was_measured() -> None:
    worker = memory_worker(40 * MIB, 60 * MIB)
    found = verdict(ran(run(worker)), ran(run(worker, emulated=True)), allow("ram_peak", 0.05))
    assert (found.status, found.reason) == (Status.UNKNOWN, "it is measured now and emulated in the baseline")


@pytest.mark.parametrize(("peak", "status"), [(62, Status.PASS), (64, Status.FAIL)])
def test_memory_by_value(peak: int, status: Status) -> None:
    head, base = (ran(run(memory_worker(40 * MIB, high * MIB))) for high in (peak, 60))
    assert verdict(head, base, allow("ram_peak", 0.05)).status is status


def test_a_rule_for_all_devices_does_not_apply_where_the_target_never_shows_the_metric() -> None:
    one = ran(run(latency_worker(*[0.01] * 30)))
    side, rule = Side(one, "Linux x86_64 ci"), allow("instructions", 0.005)
    judged = judged_against(side, [rule, allow("size", 0.0)], reported(one))
    assert [verdict.metric.name for verdict in judged.verdicts] == ["size vs baseline"]
    (caveat,) = [one for one in judged.caveats if one.code == "not-compared"]
    assert caveat.message == "local never shows instructions, so the rule on its growth does not apply here."
    own = judged_against(side, [replace(rule, is_shared=False)], reported(one))
    assert [verdict.status for verdict in own.verdicts] == [Status.UNKNOWN]
    not_run = judged_against(Side(figured(size=1), "ci"), [rule], reported(figured(size=1)))
    assert [verdict.status for verdict in not_run.verdicts] == [Status.UNKNOWN]


def test_the_figure_of_the_baseline_is_kept_where_the_two_can_be_compared() -> None:
    head, base = ran(run(latency_worker(*[0.01] * 30)), size=5), ran(run(latency_worker(*[0.02] * 30)), size=2)
    here = judged_against(Side(head, "Linux x86_64 ci"), [allow("size", 0.0)], reported(base)).verdicts[-1]
    assert here.baseline == (base.findings or {})["size"]
    whole = result(sample.SEEN)
    for host, kept in (("Linux x86_64 ci", {"size", "ram_peak"}), ("another", {"size"})):
        verdicts = judged_against(Side(whole, host), [], reported(whole)).verdicts
        assert {one.metric.name for one in verdicts if one.baseline is not None} & {"size", "ram_peak"} == kept


def test_models_of_one_name_are_told_apart_by_their_path() -> None:
    def at(path: str, size: int) -> CheckResult:
        one = figured(size=size)
        return replace(one, budget=replace(one.budget, model=replace(one.budget.model, path=PurePosixPath(path))))

    base = replace(reported(at("a/m.onnx", 1)), results=(at("a/m.onnx", 1), at("b/m.onnx", 2)))
    found = comparison.matching(at("b/m.onnx", 3), base)
    assert found is not None
    assert found.result == base.results[1]
    alone = comparison.matching(at("elsewhere/m.onnx", 3), reported(at("a/m.onnx", 1)))
    assert alone is not None


def test_figures_of_another_accelerator_are_not_compared() -> None:
    head, base = ran(run(latency_worker(0.01))), ran(run(latency_worker(0.01)))
    on_gpu = replace(head, budget=replace(head.budget, accelerator=Accelerator("tensorrt", "fp16")))
    host = "Linux x86_64 ci"
    assert differences(Side(on_gpu, host), Side(base, host), Provenance.MEASURED) == (
        "accelerator: now tensorrt fp16, then cpu",
    )
    assert differences(Side(on_gpu, host), Side(on_gpu, host), Provenance.MEASURED) == ()
    assert differences(Side(on_gpu, host), Side(base, host), Provenance.STATIC) == ()
