"""From a measurement and a limit to a verdict. Covers `finding.py` and `limits.py`."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edgecheck.core.device_match import DeviceMatch
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.limits import OnUnknown
from edgecheck.core.looks import inferences_needed, look_table
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.run import LookCount
from edgecheck.core.verdict import Status, counted_as, judge, rule_of, show_pair
from tests.builders import limit

PASS, WARN, UNKNOWN, FAIL = Status.PASS, Status.WARN, Status.UNKNOWN, Status.FAIL
UNCHANGED = OnUnknown.UNKNOWN


def found(metric: str, value: float, provenance: Provenance = Provenance.STATIC) -> Measurement:
    return Measurement(metric=METRICS[metric], value=value, provenance=provenance)


@pytest.mark.parametrize(
    ("metric", "bound", "value", "status"),
    [
        ("size", 1000, 999, PASS),
        ("size", 1000, 1000, PASS),
        ("size", 1000, 1001, FAIL),
        ("size", 0, 0, PASS),
        ("size", 1000, math.nan, FAIL),
        ("size", 1000, math.inf, FAIL),
        ("agreement", 0.99, 0.99, PASS),
        ("agreement", 0.99, 0.989, FAIL),
        ("agreement", 0.99, math.nan, FAIL),
        ("agreement", 0.99, -math.inf, FAIL),
    ],
)
def test_only_a_figure_within_its_bound_passes(metric: str, bound: float, value: float, status: Status) -> None:
    assert judge(limit(metric, bound), found(metric, value)).status is status


@pytest.mark.parametrize(
    ("error", "warn", "value", "status", "bound"),
    [
        (100, 50, 40, PASS, 100),
        (100, 50, 60, WARN, 50),
        (100, 50, 120, FAIL, 100),
        (None, 50, 40, PASS, 50),
        (None, 50, 60, WARN, 50),
    ],
)
def test_levels(error: float | None, warn: float, value: float, status: Status, bound: float) -> None:
    verdict = judge(limit("size", error, warn), found("size", value))
    assert (verdict.status, verdict.bound) == (status, bound)


def test_a_failure_says_by_how_much() -> None:
    verdict = judge(limit("size", 1_000_000), found("size", 1_559_570))
    assert verdict.reason == "1.56 MB is over 1.00 MB"
    assert verdict.margin == pytest.approx(-0.55957)


def test_texts_that_would_read_the_same_are_exact() -> None:
    assert show_pair(METRICS["size"], 1_000_001, 1_000_000) == ("1,000,001 B", "1,000,000 B")
    assert show_pair(METRICS["size"], 1_000_000, 1_000_000) == ("1.00 MB", "1.00 MB")


def test_absent_is_unknown_and_says_why() -> None:
    verdict = judge(limit("ram_peak", 100), Unmeasured(METRICS["ram_peak"], "nothing was run"))
    assert (verdict.status, verdict.reason, verdict.found, verdict.margin) == (
        UNKNOWN,
        "nothing was run",
        None,
        None,
    )


def test_the_devices_answer_is_a_fail() -> None:
    crash = Unmeasured(METRICS["ram_peak"], "crashed in the first inference: SIGSEGV", fails=True)
    assert judge(limit("ram_peak", 100), crash).status is FAIL


def test_on_another_device_only_files_are_judged() -> None:
    mismatch = DeviceMatch("x86-64, not on a Raspberry Pi 4")
    measured = judge(limit("ram_peak", 100), found("ram_peak", 1, Provenance.MEASURED), mismatch)
    crashed = judge(limit("ram_peak", 100), Unmeasured(METRICS["ram_peak"], "crashed", fails=True), mismatch)
    static = judge(limit("size", 100), found("size", 101), mismatch)
    assert (measured.status, measured.reason) == (UNKNOWN, mismatch.mismatch)
    assert (crashed.status, crashed.reason) == (UNKNOWN, "ran on x86-64, not on a Raspberry Pi 4: crashed")
    assert static.status is FAIL


@pytest.mark.parametrize(
    ("rule", "status", "ignored"),
    [
        (OnUnknown.UNKNOWN, UNKNOWN, False),
        (OnUnknown.FAIL, FAIL, False),
        (OnUnknown.WARN, WARN, False),
        (OnUnknown.IGNORE, UNKNOWN, True),
    ],
)
def test_what_an_unknown_becomes(rule: OnUnknown, status: Status, ignored: bool) -> None:  # noqa: FBT001
    verdict = judge(limit("ram_peak", 100, on_unknown=rule), Unmeasured(METRICS["ram_peak"], "nothing was run"))
    assert (verdict.status, verdict.ignored) == (status, ignored)
    assert verdict.counted_as is (None if rule is UNCHANGED else rule)


def test_how_an_unknown_counts_can_be_read_from_a_saved_reason() -> None:
    for rule in (OnUnknown.FAIL, OnUnknown.WARN):
        counted = counted_as(UNKNOWN, "nothing was run", rule)
        assert counted.reason == f"nothing was run (on_unknown: {rule.value})"
        assert rule_of(counted.status, counted.reason) is counted.rule is rule
    assert rule_of(FAIL, "nothing was run (on_unknown: warn)") is None
    assert rule_of(UNKNOWN, "nothing was run") is None


def test_on_unknown_does_not_touch_what_is_decided() -> None:
    for rule in OnUnknown:
        assert judge(limit("size", 100, on_unknown=rule), found("size", 1)).status is PASS
        beyond = judge(limit("size", 100, on_unknown=rule), found("size", 101))
        assert (beyond.status, beyond.counted_as) == (FAIL, None)


def test_an_undecided_warning_is_at_worst_that_warning() -> None:
    undecided = replace(found("latency_mean", 10), interval=True, low=5, high=15)
    assert judge(limit("latency_mean", error=100, warn=10), undecided).status is WARN
    assert judge(limit("latency_mean", warn=10), undecided).status is UNKNOWN


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (1.0, 9.0, PASS),
        (9.0, 11.0, UNKNOWN),
        (11.0, 12.0, FAIL),
        (None, None, UNKNOWN),
        (math.nan, math.nan, UNKNOWN),
        (1.0, math.nan, UNKNOWN),
    ],
)
def test_the_entire_interval_is_judged(low: float | None, high: float | None, status: Status) -> None:
    finding = replace(found("latency_mean", 10), interval=True, low=low, high=high)
    assert judge(limit("latency_mean", 10), finding).status is status


def test_an_interval_at_least() -> None:
    finding = replace(found("agreement", 0.95), interval=True, low=0.94, high=0.96)
    assert [judge(limit("agreement", bound), finding).status for bound in (0.9, 0.95, 0.97)] == [PASS, UNKNOWN, FAIL]


def test_a_budget_may_ask_for_the_estimate() -> None:
    finding = replace(found("latency_p50", 10, Provenance.PROJECTED), interval=True, low=5, high=15)
    asked = replace(limit("latency_p50", 12), projected_point=True)
    assert judge(asked, finding).status is PASS


def counted(exceedances: int, inferences: int, decision: str) -> Measurement:
    count = LookCount(
        limit="latency_p90:error", inferences=inferences, exceedances=exceedances, block=1, decision=decision
    )
    return replace(found("latency_p90", 0.01, Provenance.MEASURED), counts={count.limit: count})


def test_a_percentile_is_judged_by_the_counts() -> None:
    first = next(look for look in look_table(0.9) if look.pass_at_most >= 0)
    asked = limit("latency_p90", 0.05)
    assert judge(asked, counted(first.pass_at_most, first.n, "pass")).status is PASS
    failed = judge(asked, counted(first.n, first.n, "fail"))
    assert failed.status is FAIL
    assert failed.reason == f"{first.n} of {first.n} inferences took over 50.0 ms"


def test_a_decision_that_its_counts_do_not_support_is_not_accepted() -> None:
    assert judge(limit("latency_p90", 0.05), counted(20, 44, "pass")).status is UNKNOWN


def test_an_undecided_percentile_says_how_close_it_was() -> None:
    verdict = judge(limit("latency_p90", 0.05), counted(100, 1000, ""))
    assert verdict.status is UNKNOWN
    assert verdict.reason == (
        "not decided within the time allowed: 100 of 1,000 inferences took over 50.0 ms, and about 100 is the bound; "
        "where slow inferences come in bursts, `measure: {max_time: …}` must be many times as long as one"
    )


def test_too_few_inferences_for_a_pass_are_reported() -> None:
    verdict = judge(limit("latency_p90", 0.05), counted(0, 20, ""))
    needed = inferences_needed(0.9, 1)
    assert verdict.reason == (
        f"none of 20 inferences took over 50.0 ms, but latency_p90 needs at least {needed}: raise "
        "`measure: {max_time: …}`, or limit a lower percentile"
    )


def test_margin_of_at_least_and_of_zero() -> None:
    assert judge(limit("agreement", 0.5), found("agreement", 0.75)).margin == pytest.approx(0.5)
    assert judge(limit("size", 0), found("size", 1)).margin is None
