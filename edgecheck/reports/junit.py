"""The report as JUnit XML, for what shows test results: Jenkins, GitLab, GitHub's and Azure's test tabs.

A suite is a check and a test case is a limit. Elements and attributes are those of the schema of Jenkins' xUnit plugin
(junit-10.xsd), which is the strictest in use: it has no `file` on a test case, so the place is in the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from edgecheck.core.verdict import Status
from edgecheck.reports import wording
from edgecheck.reports.wording import one_line

if TYPE_CHECKING:
    from edgecheck.core.report import CheckResult, Report
    from edgecheck.core.verdict import Verdict

#: The element that a status puts into its test case. JUnit knows no warning: a case that warns passes, and says so.
_ELEMENT = {Status.FAIL: "failure", Status.UNKNOWN: "error"}


def render(report: Report) -> str:
    """The report as one XML document."""
    root = ET.Element("testsuites", name="edgecheck", time=_time(report.seconds))
    for result in report.results:
        root.append(_suite(result, report))
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(result: CheckResult, report: Report) -> ET.Element:
    suite = ET.Element(
        "testsuite",
        name=one_line(wording.title(result)),
        time=_time(result.seconds),
        timestamp=one_line(report.started),
        hostname=one_line(report.host.rpartition(" ")[2]),
    )
    if result.budget.path:
        suite.set("file", one_line(result.budget.path))
    suite.append(_properties(result, report))
    cases = [_case(verdict, result) for verdict in result.verdicts] or [_without_limits(result)]
    suite.extend(cases)
    for key, element in (("tests", "."), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(element) is not None for case in cases)))
    if result.caveats:
        told = [one_line(f"{caveat.code}: {caveat.message} {caveat.advice}".strip()) for caveat in result.caveats]
        ET.SubElement(suite, "system-out").text = "\n".join(told)
    return suite


def _properties(result: CheckResult, report: Report) -> ET.Element:
    properties = ET.Element("properties")
    for name, value in (
        ("status", result.status.value),
        ("device", result.profile.id),
        ("target", result.target),
        ("details", wording.details(result)),
        ("also seen", wording.also_seen(result)),
        ("problem", wording.problem(result)),
        ("not chosen", "; ".join(wording.not_chosen(result))),
        ("edgecheck", report.version),
    ):
        if value:
            ET.SubElement(properties, "property", name=name, value=one_line(value))
    return properties


def _case(verdict: Verdict, result: CheckResult) -> ET.Element:
    case = ET.Element("testcase", name=one_line(verdict.metric.name), classname=_classname(result))
    told = wording.explained(verdict)
    if verdict.ignored:
        ET.SubElement(case, "skipped", message=told)
    elif verdict.status in _ELEMENT:
        answer = ET.SubElement(case, _ELEMENT[verdict.status], type=verdict.status.value, message=told)
        answer.text = _text(verdict, result)
    elif verdict.status is Status.WARN:
        ET.SubElement(case, "system-out").text = f"warning: {told}\n{_text(verdict, result)}"
    return case


def _text(verdict: Verdict, result: CheckResult) -> str:
    lines = [one_line(wording.title(result)), f"limit: {one_line(wording.source(verdict))}"]
    if origin := wording.origin(verdict):
        lines.append(f"figure: {origin}")
    if problem := wording.problem(result):
        lines.append(problem)
    return "\n".join(lines)


def _without_limits(result: CheckResult) -> ET.Element:
    """An empty suite would look green, and nothing judged is no pass."""
    case = ET.Element("testcase", name="limits", classname=_classname(result))
    ET.SubElement(case, "error", type=Status.UNKNOWN.value, message=wording.problem(result))
    return case


def _classname(result: CheckResult) -> str:
    """Device, then model and variant; Jenkins takes what stands before the last dot for a package."""
    model = f"{result.budget.model.path.name} {result.variant}".replace(".", "_")
    return one_line(f"{result.profile.id}.{model}")


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
