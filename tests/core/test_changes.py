"""What differs between two looks at the same checks."""

from __future__ import annotations

from dataclasses import replace

from edgecheck.core.budget import Variant
from edgecheck.core.changes import changes
from edgecheck.core.finding import Measurement
from edgecheck.core.verdict import judge
from tests.builders import limit
from tests.reports.sample import SEEN, report, result

ONE = result(SEEN)
NAME = "net.onnx · as-is · raspberry-pi-4-2gb"


def test_nothing_changed() -> None:
    assert changes(report(ONE), report(ONE)) == []


def test_checks_that_came_and_went() -> None:
    other = replace(ONE, variant=Variant("int8"))
    assert changes(report(ONE), report(other)) == [f"{NAME}: gone", f"{NAME.replace('as-is', 'int8')}: new, fail"]


def test_statuses_figures_and_limits() -> None:
    found = ONE.verdicts[0].finding
    assert isinstance(found, Measurement)
    smaller = replace(found, value=900_000.0)
    now = replace(ONE, verdicts=(judge(limit("size", 1_000_000), smaller), *ONE.verdicts[1:3]))
    assert changes(report(ONE), report(now)) == [
        f"{NAME}: size fail → pass, 1.50 MB → 900 kB",
        f"{NAME}: load_time has no limit any more",
    ]
    still = replace(now, verdicts=(judge(limit("size", 1_000_000), replace(smaller, value=800_000.0)),))
    before = replace(now, verdicts=now.verdicts[:1])
    assert changes(report(before), report(still)) == [f"{NAME}: size 900 kB → 800 kB"]
    looser = replace(before, verdicts=(judge(limit("size", 2_000_000), smaller),))
    assert changes(report(before), report(looser)) == [f"{NAME}: limit of size 1.00 MB → 2.00 MB"]
    assert changes(report(replace(now, verdicts=())), report(before)) == [f"{NAME}: size has a limit now: pass"]


def test_measured_figures_differ_each_time() -> None:
    ram = ONE.verdicts[2]
    assert isinstance(ram.finding, Measurement)
    other = replace(ram, finding=replace(ram.finding, value=70e6))
    assert changes(report(replace(ONE, verdicts=(ram,))), report(replace(ONE, verdicts=(other,)))) == []
