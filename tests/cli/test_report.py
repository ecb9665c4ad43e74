"""`edgecheck report`, and what a job on GitHub gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from edgecheck.reports import FORMATS, Style, render
from edgecheck.reports.json_report import document
from edgecheck.reports.reading import read_report
from examples.real_models import fetch
from tests.cli.command import EDGECHECK, edgecheck
from tests.reports.sample import CRASH, EVERYTHING, SEEN, report, result


@pytest.fixture
def head(tmp_path: Path) -> Path:
    place = tmp_path / "head.json"
    place.write_text(render("json", EVERYTHING, Style()), encoding="utf-8")
    return place


def test_in_the_terminal(head: Path, tmp_path: Path) -> None:
    done = edgecheck("report", head, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert re.search(r"✘ fail  size +1\.50 MB  ≤ 1\.00 MB +50% over  static +b\.yaml:3", done.out)
    assert done.out.count("net.onnx · as-is") == 4
    assert "Of 14 limits in 4 checks, 6 do not hold" in done.out


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_goes_to_a_file(name: str, head: Path, tmp_path: Path) -> None:
    done = edgecheck("report", head, "--format", f"{name}=told", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    read = read_report(head.read_text(encoding="utf-8"), "head.json")
    assert (tmp_path / "told").read_text(encoding="utf-8") == render(name, read, Style())


def test_from_stdin_to_stdout(head: Path, tmp_path: Path) -> None:
    with head.open("rb") as stream:
        done = subprocess.run(
            [EDGECHECK, "report", "-", "--format", "json"], stdin=stream, capture_output=True, check=True, cwd=tmp_path
        )
    assert done.stdout == head.read_bytes()


def test_several_become_one(head: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(render("json", report(result(SEEN)), Style()), encoding="utf-8")
    done = edgecheck("report", head, other, "--format", "json", cwd=tmp_path)
    found = json.loads(done.out)
    assert found["checks"] == document(EVERYTHING)["checks"] + document(report(result(SEEN)))["checks"]
    assert (found["host"], found["seconds"]) == ("Linux x86_64 ci", 9.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.json is empty."),
        (b'{"schema": "edgecheck-rep', "bad.json is not valid JSON: "),
        (b'{"schema": "edgecheck-report", "version": 9}', "bad.json is a report of version 9; this edgecheck reads "),
        (b"\xff\xfe{", "bad.json is not UTF-8 text."),
        (None, "bad.json could not be read: No such file or directory."),
    ],
    ids=["empty", "truncated", "version", "utf-16", "missing"],
)
def test_what_cannot_be_read_exits_with_2(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "bad.json").write_bytes(content)
    done = edgecheck("report", "bad.json", "--format", "junit=report.xml", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"edgecheck: {message}")
    assert not (tmp_path / "report.xml").exists()


def check(folder: Path, limit: str, *formats: str, **environment: str) -> tuple[int, str, str]:
    (folder / "net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    (folder / "net.yaml").write_text(
        f"model: net.onnx\ndevices: {{this-machine: {{ram_peak: off, {limit}}}}}\n", encoding="utf-8"
    )
    done = edgecheck("check", "net.yaml", *formats, cwd=folder, **environment)
    return done.code, done.out, done.err


def test_a_job_on_github_gets_annotations_and_a_summary(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    code, out, err = check(
        tmp_path,
        "size: 1 MB",
        "--format=json",
        "--format=markdown=comment.md",
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert code == 1
    assert json.loads(out)["status"] == "fail"
    assert err.startswith("::error file=net.yaml,line=2,title=size%3A fail::net.onnx · as-is")
    assert summary.read_text(encoding="utf-8") == "before\n" + (tmp_path / "comment.md").read_text(encoding="utf-8")


def test_annotations_are_reported_once(tmp_path: Path) -> None:
    code, out, err = check(tmp_path, "size: 2 MB", "--format=github", GITHUB_ACTIONS="true")
    assert (code, out, err) == (0, "::notice title=edgecheck::Every limit holds: 1 limit in 1 check.\n", "")


def test_a_summary_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    place = tmp_path / "nowhere" / "summary.md"
    code, _, err = check(tmp_path, "size: 2 MB", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(place))
    assert code == 0
    assert f"edgecheck: the job summary was not written: {place}: No such file or directory." in err


def test_elsewhere_nothing_of_it_happens(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    code, out, err = check(tmp_path, "size: 1 MB", GITHUB_ACTIONS="", GITHUB_STEP_SUMMARY=str(summary))
    assert (code, err) == (1, "")
    assert "::error" not in out
    assert not summary.exists()


def test_a_crash_is_reported_again(tmp_path: Path) -> None:
    place = tmp_path / "crash.json"
    place.write_text(render("json", report(result(CRASH)), Style()), encoding="utf-8")
    done = edgecheck("report", place, cwd=tmp_path)
    # One process died, so the reason stands once, after all limits that it left undecided.
    assert re.search(
        r"ram_peak[a-z0-9_, ]*: the process died of SIGSEGV in the first inference", " ".join(done.out.split())
    )
    assert os.linesep + "Next: " in done.out
