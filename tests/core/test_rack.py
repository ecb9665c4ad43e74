"""What a report says about its boards, and what the readings of the reference do: `edgecheck/core/health.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgecheck.core.finding import Measurement
from edgecheck.core.health import health_of, undecided
from edgecheck.core.history import Series, readings_of, series_of
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.rack import rack_of
from edgecheck.core.report import CheckResult, LostBoard, Report
from tests.builders import profile
from tests.reports.sample import EVERYTHING, SEEN, result

BOARDS = tuple(f"ssh://pi@rack-{at}" for at in (1, 2, 3))


def on(board: str, latency: float, ram: float = 60e6, *, device: str = "pi") -> CheckResult:
    """A result from a board."""
    figures = {"latency_p50": latency, "ram_peak": ram, "size": 1e6 * latency}
    findings = {
        name: Measurement(metric=METRICS[name], value=value, provenance=Provenance.MEASURED)
        for name, value in figures.items()
    }
    seen = replace(SEEN, target=board)
    return replace(result(seen), target=board, findings=findings, profile=profile(device), seconds=30.0, verdicts=())


def report(*results: CheckResult, boards: tuple[str, ...] = BOARDS) -> Report:
    return replace(EVERYTHING, results=results, boards={"pi": boards})


def test_a_report_without_several_boards_has_no_rack() -> None:
    assert rack_of(EVERYTHING) is None


def test_every_board_has_its_line_also_those_without_a_check() -> None:
    lost = LostBoard(BOARDS[2], "It is off.")
    found = rack_of(report(on(BOARDS[0], 0.01), replace(on(BOARDS[0], 0.02), lost_boards=(lost,))))
    assert found is not None
    assert [(line.address, line.checks, line.seconds, line.lost) for line in found.boards] == [
        (BOARDS[0], 2, 60.0, ""),
        (BOARDS[1], 0, 0.0, ""),
        (BOARDS[2], 0, 0.0, "It is off."),
    ]
    assert found.spreads == ()


def test_the_spread_is_of_what_several_boards_measured_by_a_clock_or_in_memory() -> None:
    slow = 2.0
    found = rack_of(report(*(on(board, at) for board, at in zip(BOARDS, (1.0, 1.01, slow), strict=True))))
    assert found is not None
    assert [(line.spread.metric.name, line.spread.out) for line in found.spreads] == [
        ("latency_p50", (BOARDS[2],)),
        ("ram_peak", ()),
    ]


def test_other_models_and_other_runtimes_are_not_compared() -> None:
    one, other = on(BOARDS[0], 1.0), on(BOARDS[1], 2.0)
    assert other.artifact is not None
    assert other.run is not None
    assert other.run.runtime is not None
    newer = replace(other.run, runtime=replace(other.run.runtime, version="2.0"))
    for changed in (replace(other, artifact=replace(other.artifact, sha256="1" * 64)), replace(other, run=newer)):
        found = rack_of(report(one, changed))
        assert found is not None
        assert found.spreads == ()


def past(*latencies: float) -> Iterator[Series]:
    pairs = [
        pair
        for at, latency in enumerate(latencies)
        for day in [f"2026-01-{at + 1:02}T00:00:00+00:00"]
        for pair in readings_of(replace(report(on(BOARDS[0], latency)), started=day), "", "")
    ]
    yield from series_of(pairs)


def test_a_board_is_compared_with_the_others() -> None:
    found = health_of(report(*(on(board, at) for board, at in zip(BOARDS, (1.0, 1.01, 1.62), strict=True))), ())
    assert [one.doubts for one in found] == [(), (), ("latency_p50 is +60% from the median of 3 boards",)]
    assert [one.problem for one in found] == ["", "", ""]


def test_and_with_its_own_past_once_there_is_enough() -> None:
    alone = report(on(BOARDS[0], 1.5), boards=BOARDS[:1])
    (one,) = health_of(alone, [*past(1.0, 1.01, 0.99, 1.0, 1.02)])
    assert one.doubts == ("latency_p50 is +50% from its own median of 5 earlier readings",)
    assert one.earlier["latency_p50"] == (1.0, 5)
    (one,) = health_of(alone, [*past(1.0, 1.01, 0.99, 1.0)])
    assert one.doubts == ()
    (other,) = health_of(report(on(BOARDS[1], 1.5)), [*past(1.0, 1.01, 0.99, 1.0, 1.02)])
    assert other.earlier == {}


def test_two_boards_that_differ_are_undecided() -> None:
    two = report(on(BOARDS[0], 1.0), on(BOARDS[1], 2.0), boards=BOARDS[:2])
    (said,) = undecided(two)
    assert said == (
        "latency_p50 differs by 67% between the two boards of pi: with fewer than 3, nobody can say which of them is "
        "out of line."
    )
    assert undecided(report(on(BOARDS[0], 1.0), on(BOARDS[1], 1.05), boards=BOARDS[:2])) == ()


def test_a_board_that_is_off_has_a_problem_and_no_figure() -> None:
    off = replace(on(BOARDS[0], 1.0), run=None, findings=None, problem="It is off.")
    (one,) = health_of(report(off), ())
    assert (one.problem, one.figures, one.temperature) == ("It is off.", {}, None)
