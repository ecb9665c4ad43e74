"""The report as JUnit XML, for whatever shows test results: Jenkins, GitLab, the test tabs of GitHub and Azure.

A suite is a check and a test case is a limit. Elements and attributes are those of the schema of Jenkins' xUnit plugin
(junit-10.xsd), which is the strictest in use: it has no `file` on a test case, so the place is in the text.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from edgecheck.core.report import CheckResult, Report, from_root
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports import wording
from edgecheck.reports.wording import clean

#: Status -> the element inside the test case. JUnit has no warnings: a case that warns passes, and says so.
_ELEMENT = {Status.FAIL: "failure", Status.UNKNOWN: "error"}


def render(report: Report) -> str:
    """The report as an XML document."""
    report = from_root(report)
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
        name=wording.title(result),
        time=_time(result.seconds),
        timestamp=clean(report.started),
        hostname=clean(report.host.rpartition(" ")[2]),
    )
    if result.budget.path:
        suite.set("file", clean(result.budget.path))
    suite.append(_properties(result, report))
    cases = [_case(verdict, result) for verdict in result.verdicts] or [_without_limits(result)]
    suite.extend(cases)
    for key, element in (("tests", "."), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(element) is not None for case in cases)))
    if result.caveats:
        lines = [clean(f"{caveat.code}: {caveat.message} {caveat.advice}".strip()) for caveat in result.caveats]
        ET.SubElement(suite, "system-out").text = "\n".join(lines)
    return suite


def _properties(result: CheckResult, report: Report) -> ET.Element:
    properties = ET.Element("properties")
    for name, value in (
        ("status", result.status.value),
        ("device", result.profile.id),
        ("target", result.target),
        ("details", wording.details(result)),
        ("not limited", wording.not_limited(result)),
        ("problem", wording.problem(result)),
        ("not chosen", "; ".join(wording.not_chosen(result))),
        ("edgecheck", report.version),
    ):
        if value:
            ET.SubElement(properties, "property", name=name, value=clean(value))
    return properties


def _case(verdict: Verdict, result: CheckResult) -> ET.Element:
    case = ET.Element("testcase", name=clean(verdict.metric.name), classname=_classname(result))
    message = wording.explained(verdict)
    if verdict.ignored:
        ET.SubElement(case, "skipped", message=message)
    elif verdict.status in _ELEMENT:
        answer = ET.SubElement(case, _ELEMENT[verdict.status], type=verdict.status.value, message=message)
        answer.text = _text(verdict, result)
    elif verdict.status is Status.WARN:
        ET.SubElement(case, "system-out").text = f"warning: {message}\n{_text(verdict, result)}"
    return case


def _text(verdict: Verdict, result: CheckResult) -> str:
    lines = [wording.title(result), f"limit: {wording.source(verdict)}"]
    if origin := wording.origin(verdict):
        lines.append(f"figure: {origin}")
    if problem := wording.problem(result):
        lines.append(problem)
    return "\n".join(lines)


def _without_limits(result: CheckResult) -> ET.Element:
    """An empty suite would look green, but a check in which nothing was judged has not passed."""
    case = ET.Element("testcase", name="limits", classname=_classname(result))
    ET.SubElement(case, "error", type=Status.UNKNOWN.value, message=wording.problem(result))
    return case


def _classname(result: CheckResult) -> str:
    """Device, then model and variant; Jenkins reads everything before the last dot as a package."""
    model = f"{result.budget.model.path.name} {result.variant}".replace(".", "_")
    return clean(f"{result.profile.id}.{model}")


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
