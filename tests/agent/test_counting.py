"""The agent's counting: when it looks, what it decides, when it thinks again."""

from __future__ import annotations

import random
from typing import Any

import pytest

from edgecheck.core import looks, statistics
from edgecheck_agent import counting
from edgecheck_agent.counting import Looks
from edgecheck_agent.statistics import PARTS

MS = 1_000_000


def p90(bound_ms: float = 50.0, span: float = 0.0, name: str = "p90") -> dict[str, Any]:
    return looks.for_agent(name, 0.9, bound_ms / 1e3, span)


def quiet(level_ms: float, count: int, seed: int = 1) -> list[int]:
    draw = random.Random(seed)
    return [int(level_ms * MS * draw.uniform(0.98, 1.02)) for _ in range(count)]


def measured(watched: Looks, source: list[int]) -> int:
    """Feed from `source` as the agent would, to the end of it or of all doubt; how many inferences that took."""
    n = 0
    while not watched.done and n < len(source):
        n = min(watched.next_look(n), len(source))
        watched.feed(source[:n])
    return n


def decisions(watched: Looks, latencies: list[int]) -> list[str]:
    return [report["decision"] for report in watched.feed(latencies)]


def test_a_clear_pass_takes_no_more_inferences_than_the_table_asks_for() -> None:
    watched = Looks([p90()])
    assert measured(watched, quiet(10, 5000)) == looks.inferences_needed(0.9, block=20)
    assert watched.feed(quiet(10, 1020)) == [
        {"id": "p90", "n": 1020, "exceedances": 0, "left_out": 0, "block": 20, "decision": "pass", "over_s": 10.205}
    ]


def test_a_clear_fail_takes_eight_blocks() -> None:
    watched = Looks([p90()])
    source = quiet(500, 50)
    assert measured(watched, source) == 8
    assert watched.feed(source[:8]) == [
        {"id": "p90", "n": 8, "exceedances": 8, "left_out": 0, "block": 1, "decision": "fail", "over_s": 4.008}
    ]


def test_a_latency_equal_to_the_bound_is_within_it() -> None:
    assert decisions(Looks([p90(50)]), [50 * MS] * 255) == ["pass"]
    assert decisions(Looks([p90(2.9)]), [2_900_000] * 1020) == ["pass"]
    assert decisions(Looks([p90(50)]), [50 * MS + 1] * 40) == ["fail"]


def test_looks_come_later_where_blocks_are_longer() -> None:
    watched = Looks([p90()])
    assert watched.next_look(0) == 8
    watched.feed(quiet(10, 8))
    assert watched.next_look(8) == 160
    watched.feed(quiet(30, 160))
    assert watched.next_look(160) == 162


def test_bursts_that_come_near_the_limit_lengthen_the_blocks_before_one_exceeds_it() -> None:
    near = ([10 * MS] * 400 + [40 * MS] * 60) * 6
    far = ([10 * MS] * 400 + [20 * MS] * 60) * 6
    assert Looks([p90(50)]).feed(near)[0]["block"] > 30
    assert Looks([p90(50)]).feed(far)[0]["block"] == 20


def test_each_limit_is_decided_on_its_own_and_the_last_one_ends_the_measuring() -> None:
    watched = Looks([p90(50, name="a"), p90(5, name="b"), looks.for_agent("c", 0.99, 0.05, 0.0)])
    source = quiet(10, 12_000)
    assert [(n, decisions(watched, source[:n])) for n in (119, 160, 1020)] == [
        (119, ["", "", ""]),
        (160, ["", "fail", ""]),
        (1020, ["pass", "fail", ""]),
    ]
    assert watched.next_look(1020) == 1220
    assert decisions(watched, source[:10_580]) == ["pass", "fail", "pass"]
    assert watched.done
    assert watched.next_look(10_580) == 10_580


def test_with_nothing_to_watch_it_is_done_immediately() -> None:
    watched = Looks([])
    assert watched.done
    assert watched.feed([]) == []
    assert watched.feed([1, 2]) == []
    assert watched.next_look(7) == 7


def test_no_latencies_decide_nothing() -> None:
    watched = Looks([p90()])
    assert watched.feed([]) == [
        {"id": "p90", "n": 0, "exceedances": 0, "left_out": 0, "block": 1, "decision": "", "over_s": 0.0}
    ]
    assert not watched.done


def test_clocks_that_see_no_time_pass_are_survived() -> None:
    watched = Looks([p90(span=1.0)])
    assert decisions(watched, [0] * 1020) == [""]
    assert watched.next_look(1020) > 1020
    assert watched.feed([0] * 1020, elapsed_ns=10**9)[0]["decision"] == "pass"


def test_a_table_that_ends_undecided_ends_the_measuring() -> None:
    limit = {**p90(), "table": [[8, -1, 9], [16, 0, 17]]}
    watched = Looks([limit])
    source = [300 * MS if at % 4 else 10 * MS for at in range(64)]
    assert measured(watched, source) == 16
    assert watched.feed(source[:16])[0]["decision"] == ""
    assert watched.next_look(16) == 16


def test_a_look_that_came_too_late_for_the_table_is_followed_by_another() -> None:
    watched = Looks([p90()])
    assert watched.next_look(10**9) == 10**9 + 1


def test_a_rise_holds_a_pass_back_until_the_span_is_over() -> None:
    source = [int(10 * MS * (1 + at / 3000)) for at in range(3000)]
    span = sum(source) / 1e9
    assert decisions(Looks([p90(18.0)]), source[:1020]) == ["pass"]
    assert decisions(Looks([p90(18.0, span)]), source[:1020]) == [""]
    assert decisions(Looks([p90(25.0, span)]), source[:1020]) == ["pass"]
    assert decisions(Looks([p90(21.0, span)]), source) == ["pass"]


def test_a_fall_holds_a_fail_back_until_the_span_is_over() -> None:
    source = [int(20 * MS * (1 - at / 6000)) for at in range(3000)]
    span = sum(source) / 1e9
    assert decisions(Looks([p90(18.0)]), source[:260]) == ["fail"]
    assert decisions(Looks([p90(18.0, span)]), source[:260]) == [""]
    assert decisions(Looks([p90(5.0, span)]), source[:260]) == ["fail"]


def test_too_few_latencies_for_a_trend_decide_nothing_before_the_span_is_over() -> None:
    source = quiet(500, 9)
    assert decisions(Looks([p90(span=4.0)]), source) == ["fail"]
    assert decisions(Looks([p90(span=60.0)]), source) == [""]
    assert decisions(Looks([p90(span=60.0)]), quiet(500, 12)) == ["fail"]


def test_nothing_passes_before_the_least_time_and_then_there_is_a_look() -> None:
    source = quiet(10, 3000)
    watched = Looks([p90(span=30.0)])
    assert measured(watched, source) == 1020, "51 blocks of 20, after 950 inferences of 10 ms"
    (report,) = watched.feed(source[:1020])
    assert report["decision"] == "pass"
    assert report["over_s"] == pytest.approx(10.2, abs=0.1)
    assert watched.least_s == looks.LEAST_TIME == 9.5
    assert Looks([p90(span=2.0)]).least_s == 2.0, "never more than is allowed"


def test_a_clear_fail_needs_no_least_time_and_others_do() -> None:
    assert decisions(Looks([p90(50, span=30.0)]), quiet(500, 20)) == ["fail"], "whatever the trend"
    assert decisions(Looks([p90(50, span=30.0)]), quiet(100, 60)) == [""]
    assert decisions(Looks([p90(50, span=30.0)]), quiet(100, 115)) == ["fail"]


@pytest.mark.parametrize("slow", [slice(250, 450), slice(1300, 1500)], ids=["in the first third", "at the end"])
def test_a_slow_third_or_a_slow_end_holds_a_pass_back(slow: slice) -> None:
    """One in nine of p75's inferences is slow, which is too many only where they are together."""
    spread = quiet(10, 1500)
    spread[::9] = [60 * MS] * len(spread[::9])
    together = quiet(10, 1500)
    together[slow] = [60 * MS] * 200
    judged = {**looks.for_agent("p75", 0.75, 0.05, 0.0), "burst_count": 1}
    table = [[1, -1, 10**6], [1500, 300, 10**6]]
    assert decisions(Looks([{**judged, "table": table}]), spread) == ["pass"]
    few = {**judged, "table": [[1, -1, 10**6], [2, 1, 10**6]], "quantile": 0.75}
    assert decisions(Looks([few]), together) == [""]


def test_few_bursts_are_not_divided_by_the_length_of_a_block() -> None:
    def with_bursts(count: int) -> list[int]:
        series = quiet(10, 4000)
        for at in range(count):
            start = 100 + at * 3800 // count
            series[start : start + 12] = [60 * MS] * 12
        return series

    assert looks.judge(12, 4000, 20, looks.look_table(0.9)) == "pass"
    assert decisions(Looks([p90()]), with_bursts(1)) == [""], "12 blocks of 20 may be what it stands for"
    assert decisions(Looks([p90()]), with_bursts(5)) == ["pass"]


def test_a_fail_needs_every_third_to_be_beyond() -> None:
    series = quiet(60, 400) + quiet(10, 800)
    assert looks.judge(400, 1200, 20, looks.look_table(0.9)) == "fail"
    assert decisions(Looks([{**p90(), "burst_count": 1}]), series) == [""]


def test_a_decision_stands_through_doubt_and_falls_when_the_latencies_contradict_it() -> None:
    fine, bad = quiet(300, 60), quiet(600, 1000)
    watched = Looks([p90(400, name="a")])
    passed = watched.feed(fine)
    assert [report["decision"] for report in passed] == ["pass"]
    assert watched.feed(fine + bad[:2]) == passed, "2 of 62 is no pass in itself, and p90 is still within"
    assert decisions(watched, fine + bad[:8]) == [""], "8 of 68 is no fail, but p90 is beyond"
    assert decisions(watched, fine + bad) == ["fail"]
    assert watched.done


@pytest.mark.parametrize(
    ("flags", "time"),
    [([0] * 8 + [1] * 8 + [0] * 8, 4.0), ([1, 1, 0, 0] * 6, 1.0), ([1, 1, 0, 0] * 12, 2.0)],
    ids=["one burst, seen in six sums", "a ratio of 2 within the noise of 12 sums", "and beyond that of 24"],
)
def test_the_correlation_time_by_hand(flags: list[int], time: float) -> None:
    assert statistics.autocorrelation_time(flags) == pytest.approx(time)


def test_t_is_students() -> None:
    assert statistics.student_t(PARTS - 2, 0.999) == pytest.approx(counting.TREND_T, rel=1e-3)


def test_a_tiny_model_far_from_its_limit_is_decided_though_it_was_watched_for_no_time() -> None:
    """Noise over a fraction of a millisecond says nothing of a minute: a trend has an end."""
    series = [2500 + 500 * (at * 7 % 11 - 5) // 5 for at in range(700)]
    decisions = {
        bound: Looks([looks.for_agent("limit", 0.5, bound, 60.0, 0.0)]).feed(series)[0]["decision"]
        for bound in (1e-7, 25e-6)
    }
    assert decisions == {1e-7: "fail", 25e-6: "pass"}


def test_a_pause_counts_as_full_of_inferences_beyond_the_limit() -> None:
    def decision(level_ms: float, pause_s: float) -> str:
        (report,) = Looks([p90(20, span=30.0)]).feed(quiet(level_ms, 1100), 10**11, [int(pause_s * 1e9)])
        return str(report["decision"])

    assert decision(10, 2.0) == "pass", "101 of 1,201, if each takes 20 ms"
    assert decision(10, 3.0) == ""
    assert decision(30, 3.0) == "fail"


def test_a_pass_that_later_pauses_call_into_question_is_withdrawn() -> None:
    watched, source = Looks([p90(20, span=30.0)]), quiet(10, 1300)
    assert [report["decision"] for report in watched.feed(source[:1100], 10**11)] == ["pass"]
    assert [report["decision"] for report in watched.feed(source, 10**11, [4 * 10**9])] == [""]


def test_early_looks_are_few_because_each_is_a_pause() -> None:
    watched, looked, n = Looks([p90(50, span=30.0)]), [], 0
    source = quiet(0.5, 20_000)
    while not watched.done and n < len(source):
        n = min(watched.next_look(n), len(source))
        looked.append(n)
        watched.feed(source[:n])
    assert len(looked) <= 14
    assert watched.feed(source[:n])[0]["decision"] == "pass"
