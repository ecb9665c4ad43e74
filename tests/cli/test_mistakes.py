"""What is wrong with budgets, as annotations, JUnit, SARIF, JSON and Markdown: of `budget lint`, and of `check`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from edgecheck.cli import mistakes
from edgecheck.config.problems import Findings, Place, Problem
from edgecheck.errors import ConfigError, UsageError
from edgecheck.reports.markdown import MARKER

WRONG = Problem(Place("budgets/a.yaml", 2, 9), "limits.size", "unit 'mb' is not known; did you mean MB?")
DOUBT = Problem(Place("budgets/b.yaml", 3, 1), "limits.top1", "can never fail: every value is at least 0")
FOUND = Findings(2, (WRONG,), (DOUBT,))


@pytest.fixture(autouse=True)
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a repository, as the working directory, outside of a job."""
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "apps" / "cam"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_for_people_and_for_annotations() -> None:
    assert mistakes.render("terminal", FOUND) == (
        "budgets/a.yaml:2:9: limits.size: unit 'mb' is not known; did you mean MB?\n"
        "budgets/b.yaml:3:1: limits.top1: can never fail: every value is at least 0 (warning)\n"
    )
    assert mistakes.render("github", FOUND) == (
        "::error file=apps/cam/budgets/a.yaml,line=2,col=9,title=edgecheck::"
        "limits.size: unit 'mb' is not known; did you mean MB?\n"
        "::warning file=apps/cam/budgets/b.yaml,line=3,col=1,title=edgecheck::"
        "limits.top1: can never fail: every value is at least 0\n"
    )


def test_for_programs() -> None:
    found = json.loads(mistakes.render("json", FOUND))
    assert (found["schema"], found["version"], found["files"]) == ("edgecheck-findings", 1, 2)
    assert found["problems"] == [
        {
            "file": "apps/cam/budgets/a.yaml",
            "line": 2,
            "column": 9,
            "key": "limits.size",
            "message": "unit 'mb' is not known; did you mean MB?",
        }
    ]
    assert [warning["key"] for warning in found["warnings"]] == ["limits.top1"]


def test_as_alerts_and_as_tests() -> None:
    (run,) = json.loads(mistakes.render("sarif", FOUND))["runs"]
    places = [one["locations"][0]["physicalLocation"] for one in run["results"]]
    assert [place["artifactLocation"]["uri"] for place in places] == [
        "apps/cam/budgets/a.yaml",
        "apps/cam/budgets/b.yaml",
    ]
    assert [one["level"] for one in run["results"]] == ["error", "warning"]
    suites = ET.fromstring(mistakes.render("junit", FOUND))
    assert [(suite.get("name"), suite.get("errors"), suite.get("tests")) for suite in suites] == [
        ("apps/cam/budgets/a.yaml", "1", "1"),
        ("apps/cam/budgets/b.yaml", "0", "1"),
    ]
    assert [error.get("message") for error in suites.iter("error")] == [
        "limits.size: unit 'mb' is not known; did you mean MB?"
    ]


def test_more_annotations_than_github_shows_are_counted() -> None:
    lines = mistakes.render("github", Findings(1, (WRONG,) * 25, ())).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "::error title=edgecheck::16 more: see the log."


def test_names_cannot_start_a_command_nor_markup() -> None:
    evil = Problem(Place("a\n::add-mask::x,line=9.yaml", 1, 1), "k", "<img src=x> ]]> \x1b[31m @team\n::error::y")
    for name in mistakes.FORMATS:
        text = mistakes.render(name, Findings(1, (evil,), ()))
        assert not re.search(r"^::(add-mask|error::)", text, re.MULTILINE)
        assert "\x1b" not in text
    ET.fromstring(mistakes.render("junit", Findings(1, (evil,), ())))


def test_a_check_that_cannot_start_writes_what_was_asked_for(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"junit": "report.xml", "markdown": "summary.md", "sarif": "s.sarif", "json": "r.json", "html": ""}
    mistakes.report(ConfigError([WRONG], "hint"), tuple(names.items()))
    assert sorted(path.name for path in app.iterdir()) == ["report.xml", "s.sarif", "summary.md"]
    assert "<error" in (app / "report.xml").read_text(encoding="utf-8")
    summary = (app / "summary.md").read_text(encoding="utf-8").splitlines()
    assert summary[:2] == [MARKER, "### ❌ Nothing was checked: 1 mistake"]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(app / "job.md"))
    mistakes.report(UsageError("There is nothing to check."), ())
    assert capsys.readouterr().err == "::error title=edgecheck::There is nothing to check.\n"
    assert "There is nothing to check." in (app / "job.md").read_text(encoding="utf-8")
