from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.core.budget import Effort
from edgecheck.core.caveats import caveats
from edgecheck.core.finding import Evidence, Finding, Measurement, Unmeasured
from edgecheck.core.measurement import measure
from edgecheck.core.metrics import METRICS, OFFLOADED
from edgecheck.core.operators import SeenOperator, SeenProfile
from edgecheck.core.placement import (
    LeftNode,
    Placement,
    SpentTime,
    by_profile,
    in_words,
    left_in_words,
    spent,
    time_share,
)
from edgecheck.core.run import Ending, Outcome, Purpose, WorkerRun
from tests.builders import ARTIFACT, latency_worker, profile, run

NPU, CPU = "NpuExecutionProvider", "CPUExecutionProvider"
UNIQUE = LeftNode(type="Unique", name="/u", provider=CPU, reason="its output has no fixed size")
SEEN = Placement(accelerator=NPU, taken=5, total=6, proof="the runtime's graph assignment", left=(UNIQUE,))
TIMES = (SpentTime(NPU, "subgraph", "npu_1", 90e-6), SpentTime(CPU, "Unique", "/u", 10e-6))


def test_nodes_and_time() -> None:
    assert SEEN.share == pytest.approx(5 / 6)
    assert time_share(SEEN, TIMES) == pytest.approx(0.9)
    assert in_words(SEEN, 0.9) == "5 of 6 nodes (83.3 %), 90 % of the time; by the runtime's graph assignment"


def test_no_time_is_not_no_share() -> None:
    assert time_share(SEEN, ()) is None
    assert "their share of the time is not known" in in_words(SEEN, None)


def test_what_was_left_behind_is_named_with_its_share_and_the_reason() -> None:
    assert left_in_words(SEEN, TIMES) == ("Unique (1 node, 10 % of the time: /u), because its output has no fixed size")
    many = tuple(LeftNode(type="If", name=f"/if{at}", provider=CPU) for at in range(8))
    words = left_in_words(Placement(accelerator=NPU, taken=1, total=9, proof="", left=many), ())
    assert words == "If (8 nodes: /if0, /if1, /if2, /if3, /if4, /if5 and 2 more)"


def test_a_runtime_that_lists_no_nodes_is_known_by_its_profile() -> None:
    silent = Placement(accelerator=NPU, taken=0, total=0, proof="the session's providers")
    found = by_profile(silent, TIMES)
    assert (found.taken, found.total) == (1, 2)
    assert [node.name for node in found.left] == ["/u"]
    assert by_profile(silent, ()) == silent
    assert by_profile(SEEN, TIMES) == SEEN


def test_what_each_node_took_on_average() -> None:
    operator = SeenOperator(name="/u", type="Unique", provider=CPU, values=(1e-6, 3e-6), calls=2)
    seen = SeenProfile(whole=(5e-6, 5e-6), operators=(operator,), profiler="the runtime's own")
    (one,) = spent(seen)
    assert (one.provider, one.type, one.name) == (CPU, "Unique", "/u")
    assert one.seconds == pytest.approx(2e-6)


def offloaded(seen: Placement | None, times: tuple[SpentTime, ...] = (), ending: Ending | None = None) -> Finding:
    timed = latency_worker(0.01, placement=seen, **({"ending": ending} if ending else {}))
    profiled = WorkerRun(purpose=Purpose.PROFILE, placement=seen, spent=times)
    return measure(OFFLOADED, Evidence(artifact=ARTIFACT, run=run(timed, profiled)))


def test_the_lower_share_is_judged() -> None:
    by_nodes = offloaded(SEEN, TIMES)
    assert isinstance(by_nodes, Measurement)
    assert by_nodes.value == pytest.approx(5 / 6)
    by_time = offloaded(SEEN, (SpentTime(NPU, "subgraph", "npu_1", 1e-6), SpentTime(CPU, "Unique", "/u", 3e-6)))
    assert isinstance(by_time, Measurement)
    assert by_time.value == pytest.approx(0.25)
    assert by_time.basis == "5 of 6 nodes (83.3 %), 25 % of the time; by the runtime's graph assignment"


def test_the_process_with_the_least_on_the_accelerator_counts() -> None:
    worse = replace(SEEN, taken=2)
    seen = run(latency_worker(0.01, placement=SEEN), latency_worker(0.01, placement=worse))
    assert seen.placement == worse


def test_nothing_there_is_a_failure_and_silence_is_unknown() -> None:
    silent = Placement(accelerator=NPU, taken=0, total=0, proof="the session's providers")
    on_cpu = (SpentTime(CPU, "Conv", "/c", 1e-6),)
    for found, reason in (
        (offloaded(silent, on_cpu), "nothing of the model ran on NpuExecutionProvider"),
        (offloaded(SEEN, ending=refused("no-accelerator")), "cuda is not in this build"),
        (offloaded(None, ending=refused("unused-accelerator")), "cuda is not in this build"),
    ):
        assert isinstance(found, Unmeasured)
        assert found.fails
        assert reason in found.reason
    for found in (offloaded(silent), offloaded(None)):
        assert isinstance(found, Unmeasured)
        assert not found.fails


def refused(reason: str) -> Ending:
    return Ending(outcome=Outcome.REFUSED, reason=reason, message="cuda is not in this build")


def test_a_missing_accelerator_fails_every_figure_of_the_run() -> None:
    seen = run(latency_worker(ending=refused("no-accelerator")))
    for name in ("latency_p50", "ram_peak", "load_time"):
        found = measure(METRICS[name], Evidence(artifact=ARTIFACT, run=seen))
        assert isinstance(found, Unmeasured)
        assert (found.fails, found.reason) == (True, "cuda is not in this build")


def test_what_was_left_behind_is_a_caveat() -> None:
    seen = run(latency_worker(0.01, placement=SEEN), WorkerRun(purpose=Purpose.PROFILE, spent=TIMES))
    (caveat,) = [each for each in caveats(seen, profile(), "onnx", Effort()) if each.code == "left-behind"]
    assert caveat.message == (
        "1 of 6 nodes did not run on NpuExecutionProvider: Unique (1 node, 10 % of the time: /u), because its output "
        "has no fixed size."
    )
