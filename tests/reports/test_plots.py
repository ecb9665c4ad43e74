"""The plots of the HTML report: what is drawn, what is only named, and that it stays on the canvas."""

from __future__ import annotations

import pytest

from edgecheck.core.report import CheckResult
from edgecheck.reports import plots
from tests.builders import latency_worker, run
from tests.reports.sample import CRASH, PC, SEEN, result, rich


def test_memory_is_drawn_with_its_phases_and_its_limit() -> None:
    memory = plots.plots(rich())[0]
    assert memory.summary == (
        "Resident memory of 2 processes: at most 61.0 MiB; ram_peak limit 80.0 MiB. "
        "1 start, 2 runtime ready, 3 model loaded, 4 first inference, 5 steady."
    )
    assert [mark.words for mark in memory.level] == ["ram_peak limit 80.0 MiB"]
    assert [mark.words for mark in memory.upright] == ["1", "2", "3", "4", "5"]
    assert memory.rows[3] == ("4", "first inference", "160 ms", "60.0 MiB", "60.0 MiB")
    assert len(memory.lines) == 2


def test_an_interval_is_drawn_against_its_limits() -> None:
    interval = plots.plots(rich())[2]
    (bar,) = interval.bars
    marks = {mark.words: mark.at for mark in interval.upright}
    assert bar.x < marks["estimate"] < marks["latency_p50 limit 14.0 ms"] < bar.x + bar.width
    assert bar.x < marks["latency_p50 warning 11.0 ms"] < marks["estimate"]


def test_latencies_far_out_are_named_and_not_drawn() -> None:
    latencies = plots.plots(rich())[1]
    assert latencies.summary.endswith("latency_p90 limit 5.00 s; 1 slower one is not drawn.")
    assert sum(mark.words == "latency_p90 limit 5.00 s" for mark in latencies.upright) == 0


def _inside(at: float, least: float, most: float) -> bool:
    return least <= at <= most


@pytest.mark.parametrize("one", [rich(), result(SEEN), result(PC)])
def test_nothing_is_drawn_outside_the_canvas(one: CheckResult) -> None:
    drawn = plots.plots(one)
    assert drawn
    for plot in drawn:
        assert plot.across
        for mark in (*plot.across, *plot.upright):
            assert _inside(mark.at, plots.LEFT, plots.RIGHT)
        for mark in (*plot.upward, *plot.level):
            assert _inside(mark.at, plots.TOP, plots.BOTTOM)
        for bar in plot.bars:
            assert bar.x >= plots.LEFT
            assert bar.x + bar.width <= plots.RIGHT + 1
            assert plots.TOP <= bar.y <= bar.y + bar.height <= plots.BOTTOM + 0.2
        for line in plot.lines:
            for point in line.split():
                x, y = map(float, point.split(","))
                assert _inside(x, plots.LEFT, plots.RIGHT)
                assert _inside(y, plots.TOP, plots.BOTTOM)


def test_words_above_the_plot_do_not_overlap() -> None:
    drawn = plots.plots(rich())
    assert all(len(plot.upright) > 1 for plot in drawn)
    assert len(drawn) == 3
    for plot in drawn:
        for row in range(3):
            ends = 0.0
            for mark in (mark for mark in plot.upright if mark.row == row):
                width = 6.2 * len(mark.words)
                start = mark.at - {"start": 0.0, "middle": width / 2, "end": width}[mark.anchor]
                assert start >= ends
                ends = start + width


def test_few_values_are_not_drawn() -> None:
    assert plots.plots(result(None)) == ()
    assert plots.plots(result(CRASH)) == ()
    assert plots.plots(result(run(latency_worker(0.01, 0.01)))) == ()


def test_what_was_all_alike_is_drawn_too() -> None:
    (latencies,) = plots.plots(result(run(latency_worker(*[0.01] * 30))))
    assert len(latencies.bars) == 1
