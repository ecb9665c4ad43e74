"""Runs by the real agent: the job that it receives, what is repeated, and the run that is returned.

Covers `core/artifact.py`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.checks import session
from edgecheck.checks.session import Needs, job, run_on
from edgecheck.converters.convert import convert
from edgecheck.converters.interface import ConversionSettings, Request
from edgecheck.core.address import LOCAL
from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Effort, Model
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.run import Outcome, Purpose
from edgecheck.targets import open_target
from examples.real_models import fetch
from tests.builders import budget, limit, profile

QUICK = Effort(warmup_time=0.0, min_count=8, min_time=0.01, max_time=2.0)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    request = Request(model=fetch("okay_nabu.tflite"), source="tflite", format="tflite", variant="as-is")
    return convert(request, ConversionSettings(tmp_path_factory.mktemp("cache")), progress=lambda _: None)


def needs(*metrics: str) -> Needs:
    device = profile(THIS_MACHINE)
    whole: Budget = replace(budget((device, ())), model=Model(fetch("okay_nabu.tflite")), effort=QUICK)
    return Needs(budget=whole, limits=tuple(limit(metric, 1e9) for metric in metrics), device_memory=2**30)


def test_load_processes_are_started_only_where_a_limit_asks(artifact: Artifact) -> None:
    assert job(artifact, needs("latency_p50"))["load"] is None
    assert job(artifact, needs("load_time"))["load"] == {"processes": 5, "cached": 0}


def test_the_effort_sets_the_least_time_and_without_it_the_limits_do(artifact: Artifact) -> None:
    def asked(effort: Effort, *metrics: str) -> tuple[object, list[object]]:
        wanted = needs(*metrics)
        latency = job(artifact, replace(wanted, budget=replace(wanted.budget, effort=effort)))["latency"]
        assert isinstance(latency, dict)
        return latency["min_s"], [look["least_s"] for look in latency["looks"]]

    assert asked(Effort(), "latency_p50", "latency_p90") == (1.0, [9.5, 9.5])
    assert asked(Effort(), "latency_mean") == (9.5, [])
    assert asked(Effort(max_time=0.5), "latency_p90") == (0.5, [0.5])
    assert asked(Effort(min_time=20.0), "latency_p90") == (20.0, [20.0])


def test_an_emulated_machine_is_asked_for_counts_and_not_for_times(artifact: Artifact) -> None:
    asked = job(artifact, needs("latency_p50", "load_time"), emulated=True)
    assert (asked["latency"], asked["load"]) == (None, None)
    assert asked["deterministic"] == {"tolerance": 0.001, "batch_s": 0.01, "max_batches": 20}


def test_a_run_is_complete(artifact: Artifact) -> None:
    told: list[str] = []
    seen = run_on(open_target(LOCAL, profile(THIS_MACHINE)), artifact, needs("load_time"), progress=told.append)
    assert [worker.purpose for worker in seen.workers[:5]] == [Purpose.LATENCY, *[Purpose.LOAD] * 4]
    assert {worker.purpose for worker in seen.workers[5:]} == {Purpose.MEMORY}
    assert all(worker.ending.outcome is Outcome.COMPLETED for worker in seen.workers)
    assert (seen.broken, seen.throttled, seen.emulated) == ("", "", False)
    assert "latency pass" in told


def test_a_device_that_reports_throttling_is_measured_twice_and_then_distrusted(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board's own tool, as the firmware prints it, on a PATH of this test's."""
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\necho throttled=0x50005\n", encoding="utf-8")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(session, "COOL_DOWN", 0.0)
    told: list[str] = []
    seen = run_on(open_target(LOCAL, profile(THIS_MACHINE)), artifact, needs("latency_p50"), progress=told.append)
    assert any(words.startswith("cooling down") for words in told)
    assert told.count("latency pass") == 2
    assert seen.throttled == "under-voltage, throttled"
