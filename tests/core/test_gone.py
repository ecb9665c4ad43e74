"""Checks of the baseline that nothing judges any more are named. Covers `changes.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from edgecheck.core.changes import gone
from edgecheck.core.report import CheckResult, Report
from tests.reports.sample import result


def reported(*results: CheckResult) -> Report:
    return Report(results=results, version="1", host="ci", started="2026-01-01T00:00:00+00:00", seconds=1.0)


def test_checks_that_the_baseline_has_and_nothing_judges_any_more_are_named() -> None:
    before = reported(result(None), model("a", result(None)), model("b", result(None)))
    (caveat,) = gone(before, [result(None).lasting_name])
    assert caveat.code == "gone"
    device = result(None).profile.id
    variant = result(None).variant
    assert caveat.message == (
        f"The baseline has checks that this report lacks: a ({variant} on {device}), b ({variant} on {device})."
    )
    assert not gone(before, [each.lasting_name for each in before.results])


def test_a_variant_that_is_chosen_anew_is_not_gone() -> None:
    before = reported(result(None))
    name = result(None).lasting_name
    assert not gone(before, [replace(name, variant="")])
    assert gone(before, [replace(name, variant="float16")])


def model(name: str, of: CheckResult) -> CheckResult:
    """The same result for a model of another name."""
    return replace(of, budget=replace(of.budget, model=replace(of.budget.model, path=PurePosixPath(name))))
