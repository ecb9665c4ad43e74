"""JUnit XML by the schema that Jenkins accepts, which GitLab's reader is wider than."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

import pytest

from edgecheck.core.verdict import Status
from edgecheck.reports import render, wording
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import CRASH, EVERYTHING, PC, SEEN, report, result

_ANY = ".*"
_NUMBER = r"\d+"
_TIME = r"\d+\.\d{3}"


@dataclass(frozen=True)
class Kind:
    """What Jenkins' junit-10.xsd allows of one element: attributes with their form, inner elements, text."""

    attributes: Mapping[str, str]
    required: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    text: bool = False


_ANSWER = Kind({"type": _ANY, "message": _ANY}, text=True)
SCHEMA = {
    "testsuites": Kind(
        {"name": _ANY, "time": _TIME, "tests": _NUMBER, "failures": _NUMBER, "errors": _NUMBER},
        inside=frozenset({"testsuite"}),
    ),
    "testsuite": Kind(
        {"name": _ANY, "tests": _NUMBER, "failures": _NUMBER, "errors": _NUMBER, "skipped": _NUMBER, "time": _TIME}
        | dict.fromkeys(("timestamp", "hostname", "file", "id", "package", "group"), _ANY),
        required=frozenset({"name", "tests", "failures", "errors"}),
        inside=frozenset({"properties", "testcase", "system-out", "system-err"}),
    ),
    "properties": Kind({}, inside=frozenset({"property"})),
    "property": Kind({"name": _ANY, "value": _ANY}, required=frozenset({"name", "value"})),
    "testcase": Kind(
        {"name": _ANY, "classname": _ANY, "time": _ANY, "group": _ANY},
        required=frozenset({"name"}),
        inside=frozenset({"skipped", "error", "failure", "system-out", "system-err"}),
    ),
    "failure": _ANSWER,
    "error": _ANSWER,
    "skipped": _ANSWER,
    "system-out": Kind({}, text=True),
    "system-err": Kind({}, text=True),
}


def violations(element: ET.Element) -> list[str]:
    """What the schema does not allow of `element` and all inside of it."""
    kind = SCHEMA[element.tag]
    found = [f"{element.tag} lacks {name}" for name in kind.required - set(element.keys())]
    for name, value in element.items():
        if name not in kind.attributes or not re.fullmatch(kind.attributes[name], value, re.DOTALL):
            found.append(f"{element.tag} has {name}={value!r}")
    if not kind.text and (element.text or "").strip():
        found.append(f"{element.tag} has text")
    for child in element:
        if child.tag not in kind.inside:
            found.append(f"{element.tag} holds {child.tag}")
        elif (child.tail or "").strip():
            found.append(f"there is text after {child.tag}")
        else:
            found += violations(child)
    return found


def parsed(text: str) -> ET.Element:
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    return root


def test_it_is_what_jenkins_accepts() -> None:
    assert violations(parsed(render("junit", EVERYTHING))) == []


@pytest.mark.parametrize(
    ("valid", "broken"),
    [
        ('name="edgecheck"', 'label="edgecheck"'),
        ('<testcase name="size"', '<testcase file="b.yaml" name="size"'),
        ('tests="4"', 'tests="four"'),
        ("<properties>", "<properties>text"),
    ],
)
def test_the_schema_can_refuse(valid: str, broken: str) -> None:
    text = render("junit", EVERYTHING)
    assert valid in text
    assert violations(parsed(text.replace(valid, broken)))


def test_a_test_case_for_each_limit() -> None:
    root = parsed(render("junit", EVERYTHING))
    for suite, one in zip(root, EVERYTHING.results, strict=True):
        cases = suite.findall("testcase")
        assert [case.get("name") for case in cases] == [verdict.metric.name for verdict in one.verdicts]
        for case, verdict in zip(cases, one.verdicts, strict=True):
            kinds = [child.tag for child in case]
            expected = {
                Status.PASS: [],
                Status.WARN: ["system-out"],
                Status.UNKNOWN: ["skipped" if verdict.ignored else "error"],
                Status.FAIL: ["failure"],
            }
            assert kinds == expected[verdict.status]


def test_the_counts_are_those_of_the_cases() -> None:
    root = parsed(render("junit", EVERYTHING))
    for suite in root:
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(key) == str(len(suite.findall(f"testcase/{tag}")))
        assert suite.get("tests") == str(len(suite.findall("testcase")))
    assert root.get("tests") == str(len(EVERYTHING.verdicts))
    assert root.get("failures") == str(sum(verdict.status is Status.FAIL for verdict in EVERYTHING.verdicts))


@pytest.mark.parametrize("seen", [SEEN, CRASH, PC, None])
def test_every_number_is_the_terminals(seen: object) -> None:
    one = result(seen)  # type: ignore[arg-type]
    (suite,) = parsed(render("junit", report(one)))
    for case, verdict in zip(suite.findall("testcase"), one.verdicts, strict=True):
        message = " ".join(filter(None, [child.get("message") or child.text for child in case]))
        for number in (*wording.found_and_bound(verdict), wording.margin(verdict)):
            assert verdict.status is Status.PASS or number in message


def test_a_failure_reads_well() -> None:
    (suite,) = parsed(render("junit", report(result(CRASH))))
    failure = suite.find("testcase[@name='ram_peak']/failure")
    assert failure is not None
    assert failure.get("message") == (
        "ram_peak without a figure, limit ≤ 80.0 MiB: the process died of SIGSEGV in the first inference"
    )
    assert failure.text == "net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local\nlimit: b.yaml:3"


def test_a_check_without_limits_is_not_a_green_suite() -> None:
    root = parsed(render("junit", report(replace(result(SEEN), verdicts=()))))
    assert (root.get("tests"), root.get("errors")) == ("1", "1")
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.get("message") == "no limit is set for it, so nothing was judged"


def test_a_failed_conversion_says_why_and_what_to_do() -> None:
    broken = replace(result(None, problem="No route leads there."), hint="Install tf2onnx.")
    failure = parsed(render("junit", report(broken))).find("testsuite/testcase[@name='size']/failure")
    assert failure is not None
    assert str(failure.text).endswith("No route leads there. Install tf2onnx.")


def test_caveats_are_the_suites_output() -> None:
    swapped = replace(SEEN, after=replace(SEEN.after, swap_used=2**30))
    (suite,) = parsed(render("junit", report(result(swapped))))
    assert "swapped: Swap in use grew by 1024 MiB while the model ran." in str(suite.findtext("system-out"))


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_are_text_and_nothing_else(trick: str) -> None:
    text = render("junit", hostile_report(trick))
    assert not set(text) & STEERING
    root = parsed(text)
    assert violations(root) == []
    assert [child.tag for child in root] == ["testsuite"]
    text.encode()
