"""The four steps of a check: convert, run, measure, judge. tests/cli/test_check.py has every kind of model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.checks.check import Check, check_variant, convert, judge, measure, run
from edgecheck.converters.interface import ConversionSettings
from edgecheck.core.address import LOCAL, Address, parse
from edgecheck.core.budget import Effort, Model, Variant
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.metrics import METRICS
from edgecheck.core.verdict import Status
from examples.real_models import fetch
from tests.builders import budget, limit, profile

QUICK = Effort(warmup_time=0.0, min_count=8, min_time=0.01, max_time=2.0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ConversionSettings:
    return ConversionSettings(tmp_path_factory.mktemp("cache"))


def check(model: Path, *, target: Address | None = None, **bounds: float) -> Check:
    device = profile(THIS_MACHINE)
    limits = tuple(limit(metric, bound) for metric, bound in bounds.items())
    planned = replace(budget((device, limits)), model=Model(model), effort=QUICK)
    return Check(
        budget=planned,
        variant=Variant("as-is"),
        profile=device,
        limits=limits,
        source="tflite",
        target=target,
        fingerprint="abc",
    )


def test_without_a_target_files_are_judged_and_the_rest_is_unknown(settings: ConversionSettings) -> None:
    told: list[str] = []
    model = fetch("okay_nabu.tflite")
    result = check_variant(check(model, size=1e6, ram_peak=1e9), settings, told.append)
    size, peak = result.verdicts
    assert (size.status, size.found) == (Status.PASS, model.stat().st_size)
    assert (peak.status, peak.reason) == (Status.UNKNOWN, "nothing was run")
    assert result.findings is not None
    assert result.findings.keys() == METRICS.keys()
    assert (result.run, result.target, result.problem, result.fingerprint) == (None, "", "", "abc")


def test_each_step_adds_to_the_attempt(settings: ConversionSettings) -> None:
    planned = check(fetch("okay_nabu.tflite"), target=LOCAL, ram_peak=1e9)
    converted = convert(planned, settings, lambda _: None)
    assert converted.error is None
    assert converted.evidence is not None
    assert converted.evidence.run is None
    ran = run(converted, lambda _: None)
    assert ran.evidence is not None
    assert ran.evidence.run is not None
    findings = measure(ran)
    (verdict,) = judge(ran, findings).verdicts
    assert verdict.status is Status.PASS
    assert verdict.finding is findings["ram_peak"]


def test_a_target_that_cannot_be_reached_leaves_what_files_show(settings: ConversionSettings) -> None:
    planned = check(fetch("okay_nabu.tflite"), target=parse("ssh://nobody@host.invalid"), size=1.0, ram_peak=1e9)
    result = check_variant(planned, settings, lambda _: None)
    size, peak = result.verdicts
    assert size.status is Status.FAIL
    assert (peak.status, peak.reason) == (Status.UNKNOWN, result.problem)
    assert "host.invalid" in result.problem
    assert result.findings is not None
    assert result.findings.keys() == {name for name, metric in METRICS.items() if not metric.needs_device}
    assert result.target == "ssh://nobody@host.invalid"


def test_a_model_that_cannot_be_converted_has_no_artifact_and_unknown_limits(settings: ConversionSettings) -> None:
    planned = replace(check(fetch("okay_nabu.tflite"), target=LOCAL, size=1e6), variant=Variant("float16"))
    attempt = convert(planned, settings, lambda _: None)
    assert attempt.error is not None
    assert run(attempt, lambda _: None) is attempt
    assert measure(attempt) == {}
    result = judge(attempt, {})
    assert [verdict.status for verdict in result.verdicts] == [Status.UNKNOWN]
    assert (result.artifact, result.findings, result.target) == (None, None, "")
    assert result.problem == attempt.error.message
