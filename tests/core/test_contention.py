"""Verdicts, growth and caveats on a machine that does other things too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.core import contention
from edgecheck.core.budget import Effort
from edgecheck.core.caveats import caveats
from edgecheck.core.comparison import Side, judged_against
from edgecheck.core.finding import Evidence, Measurement
from edgecheck.core.limits import Allowance, Source
from edgecheck.core.measurement import measure, measure_all
from edgecheck.core.metrics import METRICS
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.run import Contention, LookCount, Phase, PhaseMark, Purpose, Run, WorkerRun
from edgecheck.core.verdict import Status, Verdict, judge
from tests.builders import ARTIFACT, latency_worker, limit, profile, run
from tests.reports.sample import result

MEAN, P50 = METRICS["latency_mean"], METRICS["latency_p50"]


def worker(level: float, waited: float = 0.0, **changes: object) -> WorkerRun:
    """400 inferences of `level` seconds, every other of which waited `waited` besides."""
    waits = [waited * (at % 2) for at in range(400)]
    times = [level * (1 + at % 7 / 1e3) + wait for at, wait in enumerate(waits)]
    return latency_worker(*times, waits=tuple(waits) if waited else (), **changes)


def judged(name: str, bound: float, seen: Run) -> Verdict:
    return judge(limit(name, bound), measure(METRICS[name], Evidence(artifact=ARTIFACT, run=seen)))


def test_a_fail_that_waiting_explains_is_unknown_and_says_what_to_do() -> None:
    verdict = judged("latency_mean", 0.012, run(worker(0.010, waited=0.080)))
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason == f"the process waited for a processor 80% of the time: {contention.ADVICE}"
    assert "taskset" in verdict.reason
    assert judged("latency_mean", 0.2, run(worker(0.010, waited=0.080))).status is Status.PASS
    assert judged("latency_mean", 0.004, run(worker(0.010, waited=0.080))).status is Status.FAIL
    assert judged("latency_mean", 0.009, run(worker(0.010))).status is Status.FAIL


def test_a_percentile_that_the_agent_left_undecided_names_the_waiting() -> None:
    count = LookCount(limit="latency_p50:error", inferences=400, exceedances=200, block=20, decision="")
    verdict = judged("latency_p50", 0.012, run(worker(0.010, waited=0.080, counts=(count,))))
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason.startswith("the process waited for a processor 80% of the time")


def test_those_that_did_not_wait_are_the_figure_where_they_decided() -> None:
    count = LookCount(limit="latency_p50:error", inferences=200, exceedances=0, block=20, decision="pass", left_out=200)
    seen = run(worker(0.010, waited=0.080, counts=(count,)))
    found = measure(P50, Evidence(artifact=ARTIFACT, run=seen))
    assert isinstance(found, Measurement)
    assert found.value == pytest.approx(0.010, rel=0.01)
    assert found.basis.startswith("the 200 that did not wait for a processor, of 400 inferences over ")


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (Contention(waited=0.0, processor=1.0, switches=0, stolen=0.1), "the host of this virtual machine took 10%"),
        (Contention(waited=0.0, processor=1.0, switches=0, others=0.5), "other processes used 50%"),
    ],
)
def test_processors_that_others_use_excuse_a_fail_by_no_more_than_a_factor(seen: Contention, cause: str) -> None:
    busy = run(worker(0.010, contention=seen))
    assert judged("latency_mean", 0.009, busy).reason.startswith(cause)
    assert judged("latency_mean", 0.004, busy).status is Status.FAIL


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("latency_p50", 0.25),
        ("latency_p75", 0.125),
        ("latency_p90", 0.05),
        ("latency_p99", 0.02),
        ("latency_mean", 0.05),
    ],
)
def test_fewer_others_can_slow_what_fewer_inferences_decide(name: str, others: float) -> None:
    def of(share: float) -> str:
        seen = Contention(waited=0.0, processor=1.0, switches=0, others=share)
        found = measure(METRICS[name], Evidence(artifact=ARTIFACT, run=run(worker(0.010, contention=seen))))
        assert isinstance(found, Measurement)
        return found.contended

    assert of(others * 0.99) == ""
    assert of(others * 1.01).startswith("other processes used ")


def test_a_fail_that_a_few_slowed_inferences_explain_is_unknown() -> None:
    """Others used 15 % of four processors: at most 60 % of the inferences were slowed, so p50 is at least p20."""
    seen = Contention(waited=0.0, processor=1.0, switches=0, others=0.15)
    mixed = worker(0.010, contention=seen)
    mixed = replace(mixed, latencies=tuple(0.010 if at % 3 else 0.008 for at in range(len(mixed.latencies))))
    clear = replace(mixed, contention=replace(seen, others=0.01))
    board = replace(run(mixed), before=replace(run(mixed).before, cpu_count=4))

    def verdict(one: WorkerRun, bound: float) -> Verdict:
        return judged("latency_p50", bound, replace(board, workers=(one,)))

    assert verdict(clear, 0.0085).status is Status.FAIL
    assert verdict(mixed, 0.0085).status is Status.UNKNOWN
    assert verdict(mixed, 0.0085).reason.startswith("other processes used 15% of the machine's processor time: use a")
    assert verdict(mixed, 0.0075).status is Status.FAIL
    assert verdict(mixed, 0.0110).status is Status.PASS


def test_an_idle_machine_has_no_caveat_and_a_contended_one_says_the_share() -> None:
    def codes(one: WorkerRun) -> list[str]:
        return [f"{each.code}: {each.message}" for each in caveats(run(one), profile(), "onnx", Effort())]

    assert "contended: The process waited for a processor 80% of the time." in codes(worker(0.010, waited=0.080))
    idle = Contention(waited=0.01, processor=3.9, switches=3, stolen=0.001, others=0.02)
    assert not [code for code in codes(worker(0.010, waited=0.0001, contention=idle)) if code.startswith("contended")]


def test_a_load_time_that_waited_is_unknown_too() -> None:
    def loading(waited: float) -> WorkerRun:
        marks = (
            PhaseMark(phase=Phase.RUNTIME_READY, at=0.1, rss=1, peak_rss=1, waited=0.0),
            PhaseMark(phase=Phase.MODEL_LOADED, at=0.2, rss=1, peak_rss=1, waited=waited),
        )
        return WorkerRun(purpose=Purpose.LOAD, marks=marks, load_time=0.1)

    assert judged("load_time", 0.06, run(*[loading(0.0)] * 5)).status is Status.FAIL
    assert judged("load_time", 0.06, run(*[loading(0.05)] * 5)).status is Status.UNKNOWN
    assert judged("load_time", 0.02, run(*[loading(0.05)] * 5)).status is Status.FAIL


def side(one: WorkerRun) -> CheckResult:
    seen = run(one)
    return replace(result(None), run=seen, findings=measure_all(Evidence(artifact=ARTIFACT, run=seen)), verdicts=())


@pytest.mark.parametrize(
    ("head", "base", "status"),
    [
        (worker(0.010), worker(0.010), Status.PASS),
        (worker(0.020), worker(0.010), Status.FAIL),
        (worker(0.010, waited=0.080), worker(0.010), Status.UNKNOWN),
        (worker(0.010), worker(0.010, waited=0.080), Status.UNKNOWN),
        (worker(0.010, waited=0.080), worker(0.010, waited=0.080), Status.UNKNOWN),
        (worker(0.040, waited=0.080), worker(0.010), Status.FAIL),
    ],
    ids=["idle", "grown", "a busy head", "a busy base", "both busy", "grown beyond what waiting explains"],
)
def test_growth_compares_like_with_like(head: WorkerRun, base: WorkerRun, status: Status) -> None:
    rule = Allowance(metric=MEAN, growth=0.1, source=Source("budget"))
    report = Report(results=(side(base),), version="1", host="a", started="", seconds=0.0)
    verdict = judged_against(Side(side(head), "a"), [rule], report).verdicts[0]
    assert verdict.status is status
    if status is Status.UNKNOWN:
        assert "the process waited for a processor 80% of the time" in verdict.reason
        assert ("nothing slowed it" in verdict.reason) == (not (head.waits and base.waits))
