"""The comparison in `make gate`; `.ci/run` runs the gate itself, which takes two emulated checks."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tools import gate

Change = tuple[str, Any]


@pytest.fixture
def golden() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(gate.GOLDEN.read_text(encoding="utf-8"))
    return read


def changed(golden: dict[str, Any], metric: str, factor: float) -> dict[str, Any]:
    other = copy.deepcopy(golden)
    other["checks"][0]["figures"][metric]["value"] *= factor
    return other


@pytest.mark.parametrize(
    ("metric", "factor", "same"),
    [
        ("instructions", 1.0009, True),
        ("instructions", 0.998, False),
        ("latency_p50", 1.24, True),
        ("latency_p50", 0.7, False),
        ("ram_peak", 1.009, True),
        ("ram_peak", 0.98, False),
        ("size", 1.000005, False),
    ],
)
def test_a_figure_may_differ_within_its_allowance(
    metric: str, factor: float, *, same: bool, golden: dict[str, Any]
) -> None:
    found = gate.differences(golden, changed(golden, metric, factor), "report")
    assert (not found) is same
    assert all(line.startswith(f"report.checks[0].figures.{metric}: ") for line in found)


def test_a_status_a_limit_and_a_missing_figure_are_reported(golden: dict[str, Any]) -> None:
    other = copy.deepcopy(golden)
    other["checks"][0]["verdicts"][0]["status"] = "pass"
    other["checks"][0]["verdicts"][1]["limit"] = [None, 1.0]
    del other["checks"][0]["figures"]["params"]
    places = [line.partition(": ")[0] for line in gate.differences(golden, other, "report")]
    assert places == [
        "report.checks[0].verdicts[0].status",
        "report.checks[0].verdicts[1].limit[1]",
        "report.checks[0].figures.params",
    ]


def test_the_golden_report_fails_for_every_kind_of_reason(golden: dict[str, Any]) -> None:
    (check,) = golden["checks"]
    assert golden["status"] == "fail"
    assert {verdict["status"] for verdict in check["verdicts"]} == {"pass", "warn", "fail"}
    assert {figure["provenance"] for figure in check["figures"].values()} == {"static", "emulated", "projected"}


def test_ci_runs_it(root: Path) -> None:
    assert (root / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "make gate"
    assert "tools/gate.py" in (root / "Makefile").read_text(encoding="utf-8")
