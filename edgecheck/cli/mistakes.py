"""Mistakes in budgets, profiles and projects as reports: for people, programs, and the lines of a pull request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from edgecheck import __version__
from edgecheck.cli.files import write_report
from edgecheck.cli.outputs import is_job, tell_job
from edgecheck.config.problems import Findings, Place, Problem
from edgecheck.config.repository import folder_in_repository
from edgecheck.core.limits import Source
from edgecheck.core.report import named_from_root
from edgecheck.errors import ConfigError, EdgecheckError
from edgecheck.reports import markdown, sarif
from edgecheck.reports.github import MOST, command, in_repository
from edgecheck.reports.wording import clean, shortened

#: What `budget lint` writes.
FORMATS = ("terminal", "json", "junit", "github", "sarif")

#: Raised when a reader of the previous version could be misled.
_VERSION = 1

#: Mistakes in a comment.
_MOST_LINES = 50


def render(name: str, findings: Findings) -> str:
    """The findings in one of `FORMATS`; files are named from the root of the repository, except in the terminal."""
    if name == "terminal":
        lines = [*map(str, findings.problems), *(f"{warning} (warning)" for warning in findings.warnings)]
        return "".join(f"{clean(line)}\n" for line in lines)
    return _RENDERERS[name](_from_root(findings))


def report(error: EdgecheckError, formats: Sequence[tuple[str, str]]) -> None:
    """Write what a check that could not start reports: JUnit, SARIF and Markdown that were asked for, and annotations.

    Nothing else is written: without a check there is no report.
    """
    problems = [one for one in error.found if isinstance(one, Problem)] if isinstance(error, ConfigError) else []
    findings = Findings(0, tuple(problems) or (Problem(Place(""), "", error.message),), ())
    for name, file in formats:
        if file and name in ("junit", "sarif"):
            write_report(Path(file), render(name, findings))
        elif file and name == "markdown":
            write_report(Path(file), _markdown(_from_root(findings)))
    annotate(findings)


def annotate(findings: Findings) -> None:
    """In a job on GitHub, annotate the lines and add to the job's summary; elsewhere do nothing."""
    if is_job() and (findings.problems or findings.warnings):
        summary = _markdown(_from_root(findings)) if findings.problems else ""
        tell_job(render("github", findings), summary)


def _from_root(findings: Findings) -> Findings:
    folder = folder_in_repository(Path.cwd())

    def moved(problems: Sequence[Problem]) -> tuple[Problem, ...]:
        return tuple(
            Problem(
                Place(named_from_root(one.place.file, folder), one.place.line, one.place.column), one.path, one.message
            )
            for one in problems
        )

    return Findings(findings.files, moved(findings.problems), moved(findings.warnings))


def _message(problem: Problem) -> str:
    return clean(": ".join(part for part in (problem.path, problem.message) if part))


def _json(findings: Findings) -> str:
    def plain(problem: Problem) -> dict[str, Any]:
        place = problem.place
        where = {"file": place.file, "line": place.line, "column": place.column}
        return {**where, "key": problem.path, "message": problem.message}

    found = {
        "schema": "edgecheck-findings",
        "version": _VERSION,
        "edgecheck": __version__,
        "files": findings.files,
        "problems": [plain(one) for one in findings.problems],
        "warnings": [plain(one) for one in findings.warnings],
    }
    return json.dumps(found, indent=1) + "\n"


def _junit(findings: Findings) -> str:
    """A suite per file, a test case per finding; a warning is a case that passes, and says so."""
    root = ET.Element("testsuites", name="edgecheck budget lint")
    by_file: dict[str, list[tuple[Problem, bool]]] = {}
    for problems, is_problem in ((findings.problems, True), (findings.warnings, False)):
        for problem in problems:
            by_file.setdefault(problem.place.file, []).append((problem, is_problem))
    for file, found in by_file.items():
        errors = sum(is_problem for _, is_problem in found)
        counts = {"tests": str(len(found)), "failures": "0", "errors": str(errors), "skipped": "0"}
        suite = ET.SubElement(root, "testsuite", {"name": clean(file) or "edgecheck", "time": "0", **counts})
        for problem, is_problem in found:
            name = clean(str(problem.place)) or "the command"
            case = ET.SubElement(suite, "testcase", name=name, classname="mistakes")
            if is_problem:
                ET.SubElement(case, "error", type="mistake", message=_message(problem)).text = clean(str(problem))
            else:
                ET.SubElement(case, "system-out").text = f"warning: {_message(problem)}"
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _github(findings: Findings) -> str:
    def line(name: str, problem: Problem) -> str:
        place = problem.place
        file = in_repository(Source("budget", place.file, max(1, place.line))) if place.file else ""
        where = {"line": str(place.line), "col": str(place.column)} if file and place.line else {}
        return command(name, {"file": clean(file), **where, "title": "edgecheck"}, shortened(_message(problem)))

    lines = []
    for name, problems in (("error", findings.problems), ("warning", findings.warnings)):
        lines += [line(name, one) for one in problems[: MOST - 1 if len(problems) > MOST else MOST]]
        if len(problems) > MOST:
            lines.append(command(name, {"title": "edgecheck"}, f"{len(problems) - MOST + 1:,} more: see the log."))
    return "".join(f"{line}\n" for line in lines)


def _sarif(findings: Findings) -> str:
    results = []
    for level, problems in (("error", findings.problems), ("warning", findings.warnings)):
        for problem in problems:
            region = {"startLine": max(1, problem.place.line), "startColumn": max(1, problem.place.column)}
            uri = quote(problem.place.file.encode("utf-8", "surrogatepass")) or "."
            location = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
            text = sarif.message(_message(problem))
            results.append({"ruleId": "budget-lint", "level": level, "message": text, "locations": [location]})
    rule = {"id": "budget-lint", "shortDescription": {"text": "a mistake or a doubt in a budget, profile or project"}}
    driver = {"name": "edgecheck", "version": __version__, "rules": [rule] if results else []}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "edgecheck-lint/"},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": sarif.SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _markdown(findings: Findings) -> str:
    count = len(findings.problems)
    lines = [markdown.MARKER, f"### ❌ Nothing was checked: {count:,} mistake{'s' if count != 1 else ''}", ""]
    lines += [f"- {markdown.text(shortened(str(one)))}" for one in findings.problems[:_MOST_LINES]]
    if count > _MOST_LINES:
        lines.append(f"- … and {count - _MOST_LINES:,} more.")
    return "\n".join([*lines, "", f"<sub>edgecheck {markdown.text(__version__)}</sub>\n"])


_RENDERERS = {"json": _json, "junit": _junit, "github": _github, "sarif": _sarif}
