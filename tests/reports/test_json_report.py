"""The JSON report, by its schema."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edgecheck import reports
from edgecheck.core.metrics import METRICS
from edgecheck.core.report import Report
from edgecheck.reports import render
from edgecheck.reports.json_report import document
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import EVERYTHING, SEEN, report, result


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads((Path(reports.__file__).parent / "report-1.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_it_follows_its_published_schema(validator: Draft202012Validator) -> None:
    validator.validate(json.loads(render("json", EVERYTHING)))


def test_the_schema_can_refuse(validator: Draft202012Validator) -> None:
    broken = document(EVERYTHING)
    broken["checks"][0]["verdicts"][0]["status"] = "fine"
    assert not validator.is_valid(broken)


def test_a_verdict_holds_what_is_promised() -> None:
    verdict = document(EVERYTHING)["checks"][0]["verdicts"][0]
    assert verdict == {
        "metric": "size",
        "status": "fail",
        "ignored": False,
        "found": {
            "value": 1_500_000,
            "low": None,
            "high": None,
            "unit": "bytes",
            "provenance": "static",
            "count": 1,
            "basis": "",
        },
        "limit": {
            "error": 1_000_000,
            "warn": None,
            "unit": "bytes",
            "direction": "at most",
            "on_unknown": "unknown",
            "source": {"kind": "budget", "file": "b.yaml", "line": 3},
        },
        "margin": -0.5,
        "reason": "1.50 MB is over 1.00 MB",
        "baseline": None,
    }


def test_every_sample_is_there() -> None:
    workers = document(report(result(SEEN)))["checks"][0]["run"]["workers"]
    assert workers[0]["latencies"] == [0.010] * 30
    assert workers[5]["samples"] == [[0.1, 60 * 2**20]]


def _with_nan() -> Report:
    checked = result(SEEN)
    nan = replace(checked.findings["size"], value=math.nan)  # type: ignore[index]
    verdicts = (replace(checked.verdicts[0], finding=nan), *checked.verdicts[1:])
    return report(replace(checked, findings={"size": nan}, verdicts=verdicts))


def test_nan_is_null_and_never_invalid_json(validator: Draft202012Validator) -> None:
    def refuse(text: str) -> Any:
        raise AssertionError(text)

    found = json.loads(render("json", _with_nan()), parse_constant=refuse)
    validator.validate(found)
    assert found["checks"][0]["verdicts"][0]["found"]["value"] is None
    assert found["checks"][0]["verdicts"][0]["margin"] is None


def test_figures_name_metrics_only() -> None:
    for check in document(EVERYTHING)["checks"]:
        assert set(check["figures"]) <= set(METRICS)


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_are_escaped_and_come_back_complete(trick: str) -> None:
    text = render("json", hostile_report(trick))
    assert not set(text) & STEERING
    text.encode()  # also if a name has bytes that are not UTF-8
    (check,) = json.loads(text)["checks"]
    assert check["model"] == str(PurePath(f"{trick}.onnx"))
    assert check["tiles"]["name"] == [trick] * 5
