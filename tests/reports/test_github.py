"""GitHub's workflow commands, read back by the rules of the runner."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from edgecheck.core.limits import Source
from edgecheck.core.report import Report
from edgecheck.core.verdict import Status
from edgecheck.reports import render
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import EVERYTHING, SEEN, report, result


@dataclass(frozen=True)
class Command:
    """As actions/runner reads a line (ActionCommand.TryParseV2)."""

    name: str
    properties: dict[str, str]
    message: str


def read(text: str) -> list[Command]:
    commands = []
    for line in text.splitlines():
        match = re.fullmatch(r"::(\w+)(?: (.*?))?::(.*)", line)
        assert match is not None, line
        pairs = [pair.partition("=") for pair in (match[2] or "").split(",") if pair]
        properties = {key: _plain(value, "%3A:", "%2C,") for key, _, value in pairs}
        commands.append(Command(match[1], properties, _plain(match[3])))
    return commands


def _plain(escaped: str, *more: str) -> str:
    for pair in (*more, "%0D\r", "%0A\n", "%25%"):
        escaped = escaped.replace(pair[:3], pair[3:])
    return escaped


def test_an_annotation_stands_at_the_limit() -> None:
    first = read(render("github", EVERYTHING))[0]
    assert first == Command(
        "error",
        {"file": "b.yaml", "line": "3", "title": "size: fail"},
        "net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local\nsize 1.50 MB, limit ≤ 1.00 MB, 50% over",
    )


def test_the_text_itself() -> None:
    one = result(SEEN)
    assert render("github", report(replace(one, verdicts=one.verdicts[:2]))) == (
        "::error file=b.yaml,line=3,title=size%3A fail::net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local"
        "%0Asize 1.50 MB, limit ≤ 1.00 MB, 50%25 over\n"
        "::warning file=pi.yaml,line=9,title=download%3A warn::net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on "
        "local%0Adownload 1.20 MB, limit ≤ 1.10 MB, 9.1%25 over\n"
    )


def test_fails_come_before_what_is_unknown_and_before_warnings() -> None:
    titles = [command.properties["title"].partition(": ")[2] for command in read(render("github", EVERYTHING))]
    assert titles == ["fail"] * 6 + ["unknown"] * 2 + ["warn"] * 4


def test_one_that_is_fine_says_so_in_a_line() -> None:
    one = result(SEEN)
    text = render("github", report(replace(one, verdicts=one.verdicts[2:])))
    assert text == "::notice title=edgecheck::Every limit holds: 2 limits in 1 check.\n"


def test_nothing_judged_is_an_error() -> None:
    (only,) = read(render("github", report(replace(result(SEEN), verdicts=()))))
    assert (only.name, only.properties) == ("error", {"file": "b.yaml", "title": "nothing judged"})


@pytest.mark.parametrize(
    "file", ["/opt/profiles/pi.yaml", "../pi.yaml", ".venv/lib/edgecheck/_packaged/device_profiles/pi.yaml"]
)
def test_a_limit_from_outside_the_repository_stands_at_the_budget(file: str) -> None:
    one = result(SEEN)
    moved = replace(one.verdicts[0], limit=replace(one.verdicts[0].limit, source=Source("profile", file, 9)))
    (only,) = read(render("github", report(replace(one, verdicts=(moved,)))))
    assert only.properties == {"file": "b.yaml", "title": "size: fail"}
    by_command = replace(one, verdicts=(moved,), budget=replace(one.budget, path=""))
    (only,) = read(render("github", report(by_command)))
    assert only.properties == {"title": "size: fail"}


def test_files_are_named_from_the_root_of_the_repository() -> None:
    inside = replace(report(result(SEEN)), folder="apps/cam")
    assert [one.properties.get("file") for one in read(render("github", inside))] == [
        "apps/cam/b.yaml",
        "apps/cam/pi.yaml",
    ]
    uris = re.findall(r'"uri": "(.*?)"', render("sarif", inside))
    assert uris == ["apps/cam/b.yaml", "apps/cam/pi.yaml"]
    junit = render("junit", inside)
    assert 'file="apps/cam/b.yaml"' in junit
    assert "limit: apps/cam/b.yaml:3" in junit
    above = replace(inside.results[0], budget=replace(inside.results[0].budget, path="../../budgets/b.yaml"))
    assert 'file="budgets/b.yaml"' in render("junit", replace(inside, results=(above,)))


def test_more_than_github_shows_are_counted() -> None:
    many = Report(
        results=(result(SEEN),) * 25, version="0.1.0", host="host", started="2026-01-01T00:00:00+00:00", seconds=1.0
    )
    commands = read(render("github", many))
    assert [command.name for command in commands] == ["error"] * 10 + ["warning"] * 10
    assert commands[9].message == "16 more: see the job summary."
    assert sum(verdict.status is Status.FAIL for verdict in many.verdicts) == 9 + 16


@pytest.mark.parametrize("trick", TRICKS)
def test_hostile_names_start_no_command(trick: str) -> None:
    text = render("github", hostile_report(trick))
    assert not set(text) & STEERING
    commands = read(text)
    assert [command.name for command in commands] == ["error", "warning"]
    assert set(commands[0].properties) <= {"file", "line", "title"}
    assert commands[0].properties["line"] == "3"
    text.encode()
