"""Saved results as reports. tests/cli/test_report.py and test_shard.py have them on the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.checks.baseline import joined, load, missing_shards
from edgecheck.core.report import Report
from edgecheck.errors import UsageError
from edgecheck.reports import Style, render
from tests.reports.sample import report, result


def shard(name: str, **changes: object) -> Report:
    return replace(report(), shard=name, **changes)  # type: ignore[arg-type]


def test_a_report_is_what_json_has_of_it(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    path.write_text(render("json", report(), Style()), encoding="utf-8")
    assert render("json", load(path), Style()) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "could not be read: No such file or directory."), (b"\xff{}", "is not UTF-8 text.")],
)
def test_a_file_that_cannot_be_read(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} {message}")


def test_several_reports_are_one_with_all_checks() -> None:
    one = shard("1/2", started="2026-01-02T00:00:00+00:00", seconds=3.0, host="Linux a")
    two = shard("2/2", started="2026-01-01T00:00:00+00:00", seconds=4.0, host="Linux b")
    both = joined([one, two])
    assert both.results == (*one.results, *two.results)
    assert (both.started, both.seconds, both.host, both.shard) == (two.started, 7.0, "Linux a, Linux b", "")


def test_one_report_keeps_its_shard() -> None:
    assert joined([shard("1/2")]).shard == "1/2"


@pytest.mark.parametrize(
    ("shards", "missing"),
    [
        (["1/3", "3/3"], ["2/3"]),
        (["1/2", "2/2"], []),
        (["1/3"], []),
        (["", ""], []),
        (["1/2", "1/3"], ["2/2", "2/3", "3/3"]),
    ],
)
def test_missing_shards(shards: list[str], missing: list[str]) -> None:
    assert missing_shards([shard(name) for name in shards]) == missing


def test_a_shard_that_is_given_twice_would_count_twice() -> None:
    with pytest.raises(UsageError, match=r"Shard 1/2 is given twice"):
        joined([shard("1/2"), shard("2/2"), shard("1/2")])
    assert joined([shard(""), shard("")]).shard == ""


def test_reports_of_several_projects_name_files_from_the_root() -> None:
    one, two = (replace(report(result(None)), folder=folder) for folder in ("apps/bell", "apps/cam"))
    both = joined([one, two])
    assert [each.budget.path for each in both.results] == ["apps/bell/b.yaml", "apps/cam/b.yaml"]
    assert both.folder == ""
    assert joined([one, one]).folder == "apps/bell"
