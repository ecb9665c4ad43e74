"""The JSON Schemas: valid themselves, in agreement with the loader, and helpful to a person in an editor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgecheck.config import budget_schema, profile_schema, project_schema
from edgecheck.config.problems import BUDGET, PROFILE
from edgecheck.config.profiles import packaged_profiles, profile_paths
from edgecheck.config.tree import to_python
from edgecheck.config.yaml_reader import read_file, read_tree
from edgecheck.core.metrics import METRICS
from edgecheck.core.units import TAKES

PROFILES = sorted(profile_paths([packaged_profiles()]).values())
BUDGETS = sorted((Path(__file__).parents[2] / "budgets").glob("*.yaml"))
PI = {"raspberry-pi-4-2gb": None}


def errors(schema: dict[str, Any], value: object) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("schema", [budget_schema(), profile_schema()], ids=["budget", "profile"])
def test_a_schema_is_valid_and_can_be_written(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_every_budget_of_this_repository_is_valid(path: Path) -> None:
    assert errors(budget_schema(), to_python(read_file(path))) == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_valid_but_for_what_its_family_has(path: Path) -> None:
    found = errors(profile_schema(), to_python(read_file(path)))
    assert [text for text in found if not text.endswith("is a required property")] == []


def test_the_examples_are_valid() -> None:
    assert errors(budget_schema(), to_python(read_tree(BUDGET, ""))) == []
    assert errors(profile_schema(), to_python(read_tree(PROFILE, ""))) == []


@pytest.mark.parametrize(
    ("limits", "is_valid"),
    [
        ({"size": "1 MB"}, True),
        ({"size": "1_000kB"}, True),
        ({"size": " 1.5e3 MiB "}, True),
        ({"size": 0}, True),
        ({"size": False}, True),
        ({"size": "off"}, True),
        ({"size": {"warn": "1 MB", "on_unknown": "fail"}}, True),
        ({"instructions": 200_000_000}, True),
        ({"instructions": "200e6"}, True),
        ({"agreement": 0.99}, True),
        ({"agreement": "99%"}, True),
        ({"latency_p50": "50 ms"}, True),
        ({"size": 12}, False),
        ({"size": "12 mb"}, False),
        ({"size": "-1 MB"}, False),
        ({"size": "50 ms"}, False),
        ({"size": True}, False),
        ({"size": None}, False),
        ({"size": {}}, False),
        ({"size": {"on_unknown": "warn"}}, False),
        ({"size": {"error": "1 MB", "on_unknown": "wrn"}}, False),
        ({"latency_p50": 50}, False),
        ({"instructions": -1}, False),
        ({"agreement": 99}, False),
        ({"ram_peek": "1 MB"}, False),
    ],
)
def test_editors_and_the_loader_agree_on_limits(tmp_path: Path, limits: dict[str, Any], is_valid: bool) -> None:  # noqa: FBT001 - a column of the table
    budget = {"model": "net.tflite", "limits": limits, "devices": PI}
    assert (errors(budget_schema(), budget) == []) is is_valid
    (tmp_path / "b.yaml").write_text(json.dumps(budget))
    problems: list[Any] = []
    from edgecheck.config.budget_model import BudgetKeys
    from edgecheck.config.schema import validate

    validate(BudgetKeys, read_file(tmp_path / "b.yaml"), problems)
    assert (problems == []) is is_valid


@pytest.mark.parametrize(
    ("change", "is_valid"),
    [
        ({"model": {"factory": "a.b:c", "weights": "w"}}, True),
        ({"model": {"factory": "a.b", "weights": "w"}}, False),
        ({"devices": ["pixel-8"]}, True),
        ({"devices": "pixel-8"}, False),
        ({"variants": "auto"}, True),
        ({"variants": ["int8", {"variant": "int8", "prune": 0.5}]}, True),
        ({"variants": "int8"}, False),
        ({"threads": 0}, False),
        ({"format": "pt"}, False),
        ({"colour": "red"}, False),
    ],
)
def test_the_rest_of_a_budget_is_held_as_well(change: dict[str, Any], is_valid: bool) -> None:  # noqa: FBT001 - a column of the table
    budget = {"model": "net.tflite", "devices": PI, **change}
    assert (errors(budget_schema(), budget) == []) is is_valid


def test_every_key_has_a_description_and_every_metric_says_its_unit() -> None:
    for schema in (budget_schema(), profile_schema()):
        sections = [schema, *(section for section in schema["$defs"].values() if "properties" in section)]
        for section in sections:
            for name, value in section["properties"].items():
                assert value["description"], name
        limits = schema["$defs"]["Limits"]["properties"]
        assert list(limits) == list(METRICS)
        for name, metric in METRICS.items():
            assert TAKES[metric.unit] in limits[name]["description"]
            assert metric.title in limits[name]["description"]


def test_devices_that_have_profiles_are_completed_and_others_stay_valid() -> None:
    schema = budget_schema(["door-cam", "pixel-8"])
    as_list, as_mapping = schema["properties"]["devices"]["oneOf"]
    assert as_list["items"]["anyOf"][0] == {"enum": ["door-cam", "pixel-8"]}
    assert list(as_mapping["properties"]) == ["door-cam", "pixel-8"]
    for devices in (["door-cam"], ["later"], {"pixel-8": {"size": "1 MB"}, "later": None}):
        assert errors(schema, {"model": "net.tflite", "devices": devices}) == []
    assert errors(schema, {"model": "net.tflite", "devices": {"pixel-8": {"sise": "1 MB"}}})


def test_a_limit_is_explained_where_it_is_wrong_and_described_as_its_metric() -> None:
    schema = budget_schema()
    for name, metric in METRICS.items():
        (reference,) = schema["$defs"]["Limits"]["properties"][name]["allOf"]
        scalar, _section = schema["$defs"][reference["$ref"].rpartition("/")[2]]["oneOf"]
        assert scalar["patternErrorMessage"] == f"Expected {TAKES[metric.unit]}; or off."
        assert "description" not in scalar  # an editor would show it instead of the metric's


@pytest.mark.parametrize(
    ("project", "is_valid"),
    [
        ({"budgets": "apps/*/budgets", "profiles": ["boards"], "targets": {"pixel-8": "ssh://pi@board"}}, True),
        ({"budget": "apps"}, False),
        ({"targets": ["ssh://pi@board"]}, False),
    ],
)
def test_a_projects_file_has_a_schema_too(project: dict[str, Any], is_valid: bool) -> None:  # noqa: FBT001 - a column of the table
    assert (errors(project_schema(), project) == []) is is_valid


def test_the_patterns_are_those_of_every_editor() -> None:
    text = json.dumps([budget_schema(), profile_schema(), project_schema()])
    assert re.findall(r"\(\?[^:]", text) == []  # no group that JavaScript does not have
    assert '"title": "Model' not in text
