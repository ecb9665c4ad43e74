"""A sustained run is judged by its last minute, and says how the device changed."""

from __future__ import annotations

from edgecheck.core.budget import Effort
from edgecheck.core.caveats import caveats
from edgecheck.core.finding import Evidence, Measurement
from edgecheck.core.limits import Limit, Source
from edgecheck.core.measurement import measure
from edgecheck.core.metrics import LATENCY_P90
from edgecheck.core.run import Purpose, StateMark, WorkerRun
from edgecheck.core.sustained import in_words, settled
from edgecheck.core.verdict import Status, judge
from tests.builders import ARTIFACT, profile, run

#: 10 ms for four minutes at 50 degrees, then 20 ms at 80 degrees and two thirds of the clock.
_COOL, _HOT = 24_000, 3_000


def _mark(at: float) -> StateMark:
    hot = at >= 240
    return StateMark(
        at=at,
        inferences=min(int(at / 0.010), _COOL) + int(max(at - 240, 0) / 0.020),
        clock=1.2e9 if hot else 1.8e9,
        temperature=80.0 if hot else 50.0,
        throttled=("soft temperature limit",) if hot else (),
    )


HEATING = WorkerRun(
    purpose=Purpose.LATENCY,
    latencies=(0.010,) * _COOL + (0.020,) * _HOT,
    states=tuple(_mark(5.0 * at) for at in range(61)),
)
EVIDENCE = Evidence(artifact=ARTIFACT, profile=profile(), run=run(HEATING))


def test_the_last_minute_is_judged() -> None:
    assert settled(HEATING).latencies == (0.020,) * _HOT
    found = measure(LATENCY_P90, EVIDENCE)
    assert isinstance(found, Measurement)
    assert (found.value, found.basis) == (0.020, "3,000 inferences in the last 60 s of 300 s")
    for bound, status in ((0.015, Status.FAIL), (0.025, Status.PASS)):
        assert judge(Limit(metric=LATENCY_P90, error=bound, source=Source("budget")), found).status is status


def test_what_changed_is_said_in_a_sentence() -> None:
    assert in_words(HEATING) == (
        "Over 300 s: clock 1.80 GHz at first, 1.20 GHz at the end; temperature 50 °C at first, 80 °C at the end; "
        "soft temperature limit from 240 s on; "
        "median latency 10.0 ms, 10.0 ms, 10.0 ms, 10.0 ms, 20.0 ms in its fifths."
    )
    (caveat,) = (each for each in caveats(run(HEATING), profile(), "onnx", Effort()) if each.code == "sustained")
    assert caveat.message == in_words(HEATING)


def test_a_run_that_is_not_sustained_is_judged_as_a_whole() -> None:
    plain = WorkerRun(purpose=Purpose.LATENCY, latencies=HEATING.latencies)
    assert settled(plain) is plain
    assert not [each for each in caveats(run(plain), profile(), "onnx", Effort()) if each.code == "sustained"]


def test_a_short_run_is_judged_as_a_whole() -> None:
    short = WorkerRun(purpose=Purpose.LATENCY, latencies=(0.01,) * 200, states=(_mark(0.0), _mark(2.0)))
    assert settled(short).latencies == short.latencies


def test_a_device_that_reports_nothing_is_said_so() -> None:
    bare = WorkerRun(
        purpose=Purpose.LATENCY,
        latencies=(0.01,) * 200,
        states=(StateMark(at=0.0, inferences=0, clock=None, temperature=None),) * 2,
    )
    assert in_words(bare).startswith("Over 0 s: clock not reported; temperature not reported; median latency 10.0 ms")
