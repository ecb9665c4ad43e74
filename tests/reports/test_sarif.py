"""SARIF by the parts of its 2.1.0 schema that are used, and by what GitHub's code scanning asks for beyond it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft202012Validator

from edgecheck.core.budget import Model, Variant
from edgecheck.reports import render, wording
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import EVERYTHING, SEEN, report, result


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": properties,
    }


_TEXT = {"type": "string", "minLength": 1}
_MESSAGE = _object("text", text=_TEXT)
_PLACE = _object(
    "artifactLocation region",
    artifactLocation=_object("uri", uri={"type": "string", "pattern": r"^[A-Za-z0-9._~/%-]+$"}),
    region=_object("startLine", startLine={"type": "integer", "minimum": 1}),
)
_RESULT = _object(
    "ruleId level message locations partialFingerprints",
    ruleId=_TEXT,
    level={"enum": ["none", "note", "warning", "error"]},
    message=_MESSAGE,
    locations={"type": "array", "minItems": 1, "items": _object("physicalLocation", physicalLocation=_PLACE)},
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    properties={"type": "object"},
)
_DRIVER = _object(
    "name",
    name=_TEXT,
    version={"type": "string"},
    rules={
        "type": "array",
        "uniqueItems": True,
        "items": _object("id shortDescription", id=_TEXT, shortDescription=_MESSAGE),
    },
)
_RUN = _object(
    "tool results",
    tool=_object("driver", driver=_DRIVER),
    automationDetails=_object("id", id=_TEXT),
    invocations={
        "type": "array",
        "items": _object(
            "executionSuccessful",
            executionSuccessful={"type": "boolean"},
            startTimeUtc={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        ),
    },
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": _RESULT},
)
VALIDATOR = Draft202012Validator(
    _object(
        "version runs",
        **{"$schema": {"type": "string"}, "version": {"const": "2.1.0"}, "runs": {"type": "array", "items": _RUN}},
    )
)


def log(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    VALIDATOR.validate(found)
    return found


def results(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log(text)["runs"][0]["results"]
    return found


def test_a_result_for_each_limit_that_does_not_hold() -> None:
    found = results(render("sarif", EVERYTHING))
    against = [verdict for verdict in EVERYTHING.verdicts if wording.counts_against(verdict)]
    assert len(found) == len(against) == 12
    for one, verdict in zip(found, against, strict=True):
        assert one["ruleId"] == verdict.metric.name
        assert one["message"]["text"].endswith(wording.explained(verdict))


def test_the_schema_can_refuse() -> None:
    broken = log(render("sarif", EVERYTHING))
    broken["runs"][0]["results"][0]["locations"] = []
    assert not VALIDATOR.is_valid(broken)


def test_the_first_result() -> None:
    first = results(render("sarif", EVERYTHING))[0]
    del first["partialFingerprints"]
    assert first == {
        "ruleId": "size",
        "level": "error",
        "message": {
            "text": "net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local: size 1.50 MB, limit ≤ 1.00 MB, 50% over"
        },
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": "b.yaml"}, "region": {"startLine": 3}}},
        ],
        "properties": {"status": "fail", "provenance": "static"},
    }


def test_every_rule_that_is_used_is_described() -> None:
    run = log(render("sarif", EVERYTHING))["runs"][0]
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in run["results"]} == set(rules)
    assert rules["size"] == "bytes of the artifact, all its files"


def test_a_limit_from_the_command_line_is_placed_at_the_model() -> None:
    one = result(None)
    at_model = replace(one, verdicts=(replace(one.verdicts[3], counted_as=None),))
    (only,) = results(render("sarif", report(at_model)))
    assert only["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "net.onnx"


def test_nothing_judged_is_a_result() -> None:
    (only,) = results(render("sarif", report(replace(result(SEEN), verdicts=()))))
    assert (only["ruleId"], only["level"]) == ("limits", "warning")


def test_if_every_limit_holds_there_is_no_alert() -> None:
    one = result(SEEN)
    assert results(render("sarif", report(replace(one, verdicts=one.verdicts[2:])))) == []


def _prints(text: str) -> list[str]:
    return [one["partialFingerprints"]["primaryLocationLineHash"] for one in results(text)]


def test_an_alert_keeps_its_identity_when_its_line_moves_and_variants_differ() -> None:
    one = result(SEEN)
    failing = one.verdicts[0]
    moved = replace(failing, limit=replace(failing.limit, source=replace(failing.limit.source, line=40)))
    first, later, other = (
        _prints(render("sarif", report(replace(one, **changes))))
        for changes in (
            {"verdicts": (failing,)},
            {"verdicts": (moved,)},
            {"verdicts": (failing,), "variant": Variant("int8")},
        )
    )
    assert first == later != other


def test_a_model_outside_of_the_repository_is_named_by_its_file() -> None:
    one = result(SEEN)
    far = replace(one, budget=replace(one.budget, model=Model(PurePath("/srv/models/a b.onnx"))), verdicts=())
    (only,) = results(render("sarif", report(far)))
    assert only["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.onnx"


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_are_text_and_nothing_else(trick: str) -> None:
    text = render("sarif", hostile_report(trick))
    assert not set(text) & STEERING
    failed = results(text)[0]
    message = failed["message"]["text"]
    assert "[" not in message.replace("\\\\", "").replace("\\[", "")
    assert unquote(failed["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], errors="replace").endswith(
        (".yaml", ".onnx")
    )
    text.encode()
