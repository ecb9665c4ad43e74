"""Variants by devices: which check has which place, and the table in windows of every width.

Covers `matrix_text.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from edgecheck.core.budget import Model, Variant
from edgecheck.core.report import CheckResult, Tried
from edgecheck.core.verdict import Status
from edgecheck.reports import Style
from edgecheck.reports.matrix import best_first, cell, deciding, matrix
from edgecheck.reports.matrix_text import matrix_text
from edgecheck.reports.terminal import LOOKS, paint
from tests.reports.sample import CRASH, SEEN, report, result

FAILS = result(SEEN)
PASSES = replace(FAILS, verdicts=FAILS.verdicts[2:])


def on(device: str, one: CheckResult = PASSES, variant: str = "as-is") -> CheckResult:
    return replace(one, profile=replace(one.profile, id=device, name=device), variant=Variant(variant))


def shown(width: int, *results: CheckResult) -> list[str]:
    table = matrix(report(*results))
    assert table is not None
    return paint(matrix_text(table, width, LOOKS), Style(width=width)).splitlines()


def test_one_check_has_no_matrix() -> None:
    assert matrix(report(PASSES)) is None
    assert matrix(report(PASSES, PASSES)) is None


def test_variants_are_rows_and_devices_are_columns() -> None:
    lines = shown(80, on("pi-4"), on("pi-5", FAILS), on("pi-4", PASSES, "int8"), on("pi-5", result(CRASH), "int8"))
    assert lines == [
        "variant  pi-4        pi-5",
        "as-is    ✔ 24% room  ✘ 50% over",
        "int8     ✔ 24% room  ✘ fail",
    ]


def test_a_cell_without_a_check_is_a_dash() -> None:
    assert shown(80, on("pi-4"), on("pi-5", PASSES, "int8"))[1:] == [
        "as-is    ✔ 24% room  -",
        "int8     -           ✔ 24% room",
    ]


def test_models_are_named_where_there_are_several() -> None:
    other = replace(PASSES, budget=replace(PASSES.budget, model=Model(PASSES.budget.model.path.with_name("b.onnx"))))
    table = matrix(report(on("pi"), on("pi", other)))
    assert table is not None
    assert table.rows == ("net.onnx as-is", "b.onnx as-is")
    elsewhere = replace(PASSES, budget=replace(PASSES.budget, path="other.yaml"))
    table = matrix(report(on("pi"), on("pi", elsewhere)))
    assert table is not None
    assert table.rows == ("b.yaml as-is", "other.yaml as-is")


def test_variants_that_were_chosen_on_each_device_share_a_row() -> None:
    tried = (Tried("float32", "too big"),)
    chosen = [replace(on("pi"), tried=tried), replace(on("jetson", PASSES, "int8"), tried=tried)]
    table = matrix(report(*chosen))
    assert table is not None
    assert (table.rows, table.columns) == (("auto",), ("pi", "jetson"))


def test_the_worst_of_two_checks_at_one_place_counts() -> None:
    table = matrix(report(on("pi"), on("pi", FAILS), on("jetson")))
    assert table is not None
    assert cell(table.cells["as-is", "pi"]) == "✘ 50% over"


def test_what_decides() -> None:
    passing = deciding(PASSES)
    assert passing is not None
    assert passing.metric.name == "ram_peak"
    failing = deciding(result(CRASH))
    assert failing is not None
    assert (failing.status, failing.found) == (Status.FAIL, None)  # worse than one that has a figure
    assert deciding(replace(PASSES, verdicts=())) is None
    assert cell(replace(PASSES, verdicts=())) == "? unknown"


def test_the_best_come_first() -> None:
    crashed, nothing = on("c", result(CRASH)), on("n", replace(PASSES, verdicts=()))
    close = on("close", replace(FAILS, verdicts=FAILS.verdicts[1:]))
    ordered = best_first([crashed, on("f", FAILS), nothing, close, on("p")])
    assert [one.profile.id for one in ordered] == ["p", "close", "n", "f", "c"]


IDS = [f"{name}-{number}-2gb" for number in range(6) for name in ("raspberry-pi", "pixel", "jetson", "galaxy", "coral")]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("devices", [2, 4, 8, 30])
def test_every_device_and_every_answer_is_there_at_every_width(width: int, devices: int) -> None:
    names = [*IDS, *(f"board-{number}" for number in range(devices))][:devices]
    results = [on(name, PASSES, variant) for name in names for variant in ("as-is", "int8", "float16")]
    lines = shown(width, *results)
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    assert text.count("✔ 24% room") == len(results)
    assert "…" not in text
    if devices > 8:
        assert all(text.count(f"{name} ") >= 1 for name in names)  # a row each, whole


def test_four_devices_stay_columns_in_80_columns() -> None:
    lines = shown(80, *(on(name, PASSES, variant) for name in IDS[:4] for variant in ("as-is", "int8-dynamic")))
    assert lines[0].split() == ["variant", "raspberry-", "pixel-0-", "jetson-0-", "galaxy-0-"]
    assert lines[1].split() == ["pi-0-2gb", "2gb", "2gb", "2gb"]


def test_a_long_name_leaves_room_for_the_answer() -> None:
    long = replace(PASSES, budget=replace(PASSES.budget, model=Model(PASSES.budget.model.path.with_name("n" * 90))))
    lines = shown(40, on("pi"), on("pi", long))
    assert max(map(cell_len, lines)) <= 40
    assert "\n".join(lines).count("✔ 24% room") == 2
