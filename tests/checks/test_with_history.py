"""A check that knows the history warns of what creeps, on its own branch. Covers `checks/history.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgecheck.checks.history import History, Left, append, load_history
from edgecheck.core.history import Series, readings_of
from tests.core.test_history import series
from tests.reports.sample import SEEN, report, result

NOW = replace(report(result(SEEN)), started="2026-12-01T00:00:00+00:00")
LATEST = replace(result(SEEN), verdicts=())


def known(branch: str) -> History:
    """`load_time` has crept from 1 ms to 10 ms below its limit of 11 ms."""
    (key,) = [key for key, _ in readings_of(NOW, "", "") if key.metric == "load_time"]
    crept = series([0.001 + 0.0003 * at for at in range(30)], key, limit=0.011, days=9)
    return History({key: crept}, "c", branch, Left())


def codes(history: History) -> list[str]:
    one = result(SEEN)
    tight = tuple(
        replace(each, limit=replace(each.limit, error=0.0105))
        for each in one.verdicts
        if each.metric.name == "load_time"
    )
    return [caveat.code for caveat in history.judge(replace(one, verdicts=tight), NOW).caveats]


def test_a_creeping_metric_is_a_caveat() -> None:
    assert "creeping" in codes(known("main"))
    assert "creeping" in codes(known("a-change"))  # which started from main


def test_another_branch_is_another_story() -> None:
    history = known("main")
    elsewhere = {
        key: Series(key, tuple(one._replace(branch="experiment") for one in each.readings))
        for key, each in history.series.items()
    }
    assert "creeping" not in codes(replace(history, series=elsewhere))


def test_without_a_file_the_history_is_empty(tmp_path: Path) -> None:
    assert load_history(tmp_path / "none.jsonl", "c", "main").series == {}
    place = tmp_path / "history.jsonl"
    append(place, readings_of(NOW, "c", "main"), print)
    assert len(load_history(place, "c", "main").series) > 5
