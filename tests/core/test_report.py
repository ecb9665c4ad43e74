from __future__ import annotations

import pytest

from edgecheck.core.budget import Variant
from edgecheck.core.finding import Unmeasured
from edgecheck.core.limits import OnUnknown
from edgecheck.core.metrics import METRICS
from edgecheck.core.report import CheckResult, Report, exit_code, worst
from edgecheck.core.verdict import Status, Verdict, judge
from tests.builders import ARTIFACT, budget, limit, profile


def verdict(status: Status, *, ignored: bool = False) -> Verdict:
    rule = OnUnknown.IGNORE if ignored else None
    finding = Unmeasured(METRICS["size"], "")
    return Verdict(limit=limit("size", 1), status=status, finding=finding, bound=1, counted_as=rule)


def report(*statuses: Status) -> Report:
    device = profile()
    results = tuple(
        CheckResult(
            budget=budget((device, ())),
            variant=Variant("as-is"),
            profile=device,
            target="",
            verdicts=(verdict(status),),
            artifact=ARTIFACT,
        )
        for status in statuses
    )
    return Report(results=results, version="0", host="host", started="2026-01-01T00:00:00+00:00", seconds=1.0)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([Status.PASS, Status.PASS], 0),
        ([Status.PASS, Status.WARN], 0),
        ([Status.UNKNOWN, Status.WARN], 3),
        ([Status.UNKNOWN, Status.FAIL], 1),
        ([Status.FAIL, Status.PASS], 1),
        ([], 3),
    ],
)
def test_exit_codes(statuses: list[Status], code: int) -> None:
    assert exit_code(report(*statuses)) == code


def test_a_warning_can_be_made_to_fail() -> None:
    assert exit_code(report(Status.WARN), fail_on_warn=True) == 1
    assert exit_code(report(Status.PASS), fail_on_warn=True) == 0


def test_an_ignored_unknown_does_not_count() -> None:
    assert worst([verdict(Status.PASS), verdict(Status.UNKNOWN, ignored=True)]) is Status.PASS
    asked = limit("ram_peak", 1, on_unknown=OnUnknown.IGNORE)
    assert judge(asked, Unmeasured(METRICS["ram_peak"], "nothing was run")).ignored


def test_nothing_judged_is_never_a_pass() -> None:
    assert worst([]) is Status.UNKNOWN
