"""Growth from the median of the last results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.core.against_history import Past, judged_against_past
from edgecheck.core.finding import Measurement
from edgecheck.core.history import Key, Reading, Series, key_of, readings_of
from edgecheck.core.limits import Allowance, OnUnknown, Source
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import CheckResult
from edgecheck.core.verdict import Status, Verdict
from tests.core.test_history import series
from tests.reports.sample import SEEN, report, result


def measured(metric: str, value: float, provenance: Provenance, **changes: object) -> CheckResult:
    found = Measurement(metric=METRICS[metric], value=value, provenance=provenance)
    return replace(result(SEEN), findings={metric: replace(found, **changes)})  # type: ignore[arg-type]


def judged(head: CheckResult, values: list[float], **rule: object) -> CheckResult:
    """`head` against a history of `values`, with 5 % of growth allowed."""
    ((metric, found),) = (head.findings or {}).items()
    assert isinstance(found, Measurement)
    key = key_of(report(head), head, found)
    last = rule.pop("last", 5)
    assert isinstance(last, int)
    past = Past({key: series(values, key)} if values else {}, "main", last)
    allowed = Allowance(metric=METRICS[metric], growth=0.05, source=Source("budget", "b.yaml", 9))
    return judged_against_past(report(head), head, [replace(allowed, **rule)], past)  # type: ignore[arg-type]


def the(head: CheckResult, values: list[float], **rule: object) -> Verdict:
    verdict = judged(head, values, **rule).verdicts[-1]
    assert verdict.metric.name.endswith(" vs baseline")
    return verdict


@pytest.mark.parametrize(("value", "status"), [(104.0, Status.PASS), (106.0, Status.FAIL)])
def test_an_exact_figure_is_judged_by_its_value(value: float, status: Status) -> None:
    verdict = the(measured("size", value, Provenance.STATIC), [90.0, 100.0, 100.0, 100.0, 130.0])
    assert (verdict.status, verdict.bound) == (status, 105.0)
    assert verdict.baseline is not None
    assert (verdict.baseline.value, verdict.baseline.basis) == (100.0, "median of 5 earlier results")
    if status is Status.FAIL:
        assert verdict.reason == "it grew by 6.0% from 100 B, the median of 5; 5% is allowed"


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(0.98, 1.02, Status.PASS), (1.02, 1.10, Status.UNKNOWN), (1.20, 1.30, Status.FAIL), (1.10, 1.30, Status.UNKNOWN)],
)
def test_a_measured_figure_fails_only_beyond_all_of_them(low: float, high: float, status: Status) -> None:
    head = measured("latency_p50", (low + high) / 2, Provenance.MEASURED, low=low, high=high)
    assert the(head, [0.95, 1.0, 1.0, 1.0, 1.1]).status is status


def test_a_metric_that_must_not_fall() -> None:
    assert the(measured("agreement", 0.9, Provenance.MEASURED), [0.99] * 5).status is Status.FAIL
    assert the(measured("agreement", 0.98, Provenance.MEASURED), [0.99] * 5).status is Status.PASS


def test_only_the_last_results_count() -> None:
    head = measured("size", 200.0, Provenance.STATIC)
    assert the(head, [100.0] * 9 + [200.0] * 3, last=3).status is Status.PASS
    assert the(head, [100.0] * 9 + [200.0] * 3, last=9).status is Status.FAIL


def test_other_branches_and_the_report_itself_do_not_count() -> None:
    head = measured("size", 200.0, Provenance.STATIC)
    ((key, own),) = readings_of(report(head), "", "main")
    other = Reading(own.at, "c", "feature", 100.0, None, "", "0" * 16)
    past = Past({key: Series(key, (other, own))}, "main", 5)
    assert past.values(report(head), head, _finding(head)) == []
    assert Past(past.series, "", 5).values(report(head), head, _finding(head)) == [100.0]


def _finding(head: CheckResult) -> Measurement:
    (found,) = (head.findings or {}).values()
    assert isinstance(found, Measurement)
    return found


def test_without_a_history_of_it_a_caveat_says_so() -> None:
    head = measured("size", 200.0, Provenance.STATIC)
    answered = judged(head, [])
    assert answered.verdicts == head.verdicts
    assert [caveat.code for caveat in answered.caveats][-1] == "no-baseline"


def test_what_is_not_decided_counts_as_the_rule_says() -> None:
    head = measured("latency_p50", 1.06, Provenance.MEASURED, low=1.02, high=1.10)
    assert the(head, [1.0] * 5, on_unknown=OnUnknown.WARN).status is Status.WARN
    assert the(head, [1.0] * 5, on_unknown=OnUnknown.IGNORE).ignored


def test_another_key_is_another_series() -> None:
    head = measured("size", 200.0, Provenance.STATIC)
    key = key_of(report(head), head, _finding(head))
    elsewhere: dict[Key, Series] = {key._replace(device="pixel-8"): series([1.0], key)}
    assert Past(elsewhere, "main", 5).values(report(head), head, _finding(head)) == []
