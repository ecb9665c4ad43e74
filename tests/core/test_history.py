"""Readings of reports, and the steps in a series of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from edgecheck.core.accelerator import Accelerator
from edgecheck.core.budget import Model
from edgecheck.core.history import Key, Reading, Series, moments, readings_of, series_of, steps
from tests.reports.sample import SEEN, report, result

KEY = Key("net.yaml", "as-is", "pi", "", "", "size", "static")
BEGIN = datetime(2026, 3, 1, tzinfo=timezone.utc)


def series(
    values: Sequence[float],
    key: Key = KEY,
    *,
    limit: float | None = None,
    days: float = 1,
    status: str = "pass",
) -> Series:
    """A reading every few days, each of its own commit, from March 2026."""
    readings = [
        Reading(
            at=(BEGIN + timedelta(days=days * at)).isoformat(),
            commit=f"{at:04x}",
            branch="main",
            value=value,
            limit=limit,
            status="" if limit is None else status,
            run=f"{at:016x}",
        )
        for at, value in enumerate(values)
    ]
    return Series(key, tuple(readings))


def test_a_report_has_a_reading_for_each_figure() -> None:
    found = {key.metric: (key, reading) for key, reading in readings_of(report(result(SEEN)), "abc", "main")}
    size, reading = found["size"]
    assert size == Key("b.yaml", "as-is", "raspberry-pi-4-2gb", "", "", "size", "static")
    assert (reading.commit, reading.branch, reading.value, reading.limit, reading.status) == (
        *("abc", "main", 1_500_000.0, 1_000_000, "fail"),
    )
    ram, _ = found["ram_peak"]
    assert (ram.runtime, ram.where, ram.provenance) == (
        *("onnxruntime 1.32.0", "local on Linux x86_64 ci", "measured"),
    )
    assert found["latency_p50"][1].limit is None


def test_a_model_without_a_budget_is_known_by_its_name_and_folders_by_their_root() -> None:
    bare = result(SEEN)
    bare = replace(bare, budget=replace(bare.budget, path="", model=Model(bare.budget.model.path.with_name("m.onnx"))))
    assert {key.lineage for key, _ in readings_of(report(bare), "", "")} == {"m.onnx"}
    below = replace(report(result(SEEN)), folder="apps/cam")
    assert {key.lineage for key, _ in readings_of(below, "", "")} == {"apps/cam/b.yaml"}


def test_a_board_is_known_by_its_address() -> None:
    on_board = replace(result(SEEN), target="ssh://pi@rack-1")
    assert {key.where for key, _ in readings_of(report(on_board), "", "")} == {"", "ssh://pi@rack-1"}


def test_what_an_accelerator_shows_is_another_series() -> None:
    one = result(SEEN)
    on_gpu = replace(one, budget=replace(one.budget, accelerator=Accelerator("tensorrt", "fp16")))
    found = {key.metric: key.runtime for key, _ in readings_of(report(on_gpu), "", "")}
    assert found["ram_peak"] == "onnxruntime 1.32.0 on tensorrt fp16"
    assert found["size"] == ""


def test_a_report_that_is_added_twice_counts_once() -> None:
    pairs = [*readings_of(report(result(SEEN)), "a", "main")]
    assert series_of([*pairs, *pairs]) == series_of(pairs)


def test_a_commits_results_are_their_median() -> None:
    one = series([1.0, 5.0, 3.0, 9.0])
    same = replace(
        one, readings=tuple(r._replace(commit="aa" if at < 3 else "bb") for at, r in enumerate(one.readings))
    )
    assert [(moment.commit, moment.value, moment.count) for moment in moments(same)] == [("aa", 3.0, 3), ("bb", 9.0, 1)]
    unknown = replace(one, readings=tuple(r._replace(commit="") for r in one.readings))
    assert len(moments(unknown)) == 4


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        (KEY, [100, 100, 101, 101, 99], [(100, 101), (101, 99)]),
        (KEY._replace(metric="instructions", provenance="emulated"), [1e6, 1.0005e6, 1.0e6, 1.02e6], [(1e6, 1.02e6)]),
        (KEY._replace(metric="ram_peak", provenance="emulated"), [1e6, 1.005e6, 1.02e6], [(1e6, 1.02e6)]),
        (KEY._replace(metric="a metric of later"), [1, 2], [(1, 2)]),
    ],
)
def test_each_step_of_an_exact_metric(key: Key, values: list[float], expected: list[tuple[float, float]]) -> None:
    one = series(values, key)
    found = steps(one, moments(one))
    assert [(step.before, step.after) for step in found] == expected
    assert all(step.probability is None for step in found)
    assert found[0].commit == f"{values.index(expected[0][1]):04x}"


def test_what_creeps_below_the_tolerance_is_a_step_in_the_end() -> None:
    one = series(
        [1e6 * (1 + 0.0004 * at) for at in range(6)], KEY._replace(metric="instructions", provenance="emulated")
    )
    assert [step.commit for step in steps(one, moments(one))] == ["0003"]


def test_a_measured_metric_has_changes_with_a_probability() -> None:
    values = [10 + 0.01 * (at % 3) for at in range(12)] + [11 + 0.01 * (at % 3) for at in range(12)]
    one = series(values, KEY._replace(metric="latency_p50", provenance="measured"))
    (step,) = steps(one, moments(one))
    assert step.commit == f"{12:04x}"
    assert step.probability == pytest.approx(0.995)
    assert (step.before, step.after) == pytest.approx((10.01, 11.01))
