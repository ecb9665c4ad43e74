"""The teaching cases: each lesson is held again when code changes, and its table must be the one in the tutorial."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.converters.bench import requires
from tests.converters.kept import lessons, printed, run

ROOT = Path(__file__).parents[2]
LESSONS = ROOT / "examples" / "teaching"
TUTORIAL = ROOT / "docs" / "tutorials" / "teaching-cases.md"

pytestmark = [
    pytest.mark.convert,
    pytest.mark.xdist_group("teaching"),  # a test uses what the lessons before it made
    requires("torch", "tensorflow", "sklearn", "skl2onnx", "onnxscript", "tf2onnx", "ai_edge_quantizer"),
]

Table = list[dict[str, str]]

#: Nothing that is asserted is measured by a clock.
SHORT = "measure: {min_count: 5, min_time: 20 ms, warmup_time: 0 s}\n"

#: What a figure may differ by: archives hold dates, zlib has versions, and processors round differently.
_BYTES, _DOWNLOAD, _FRACTION = 64, 0.02, 0.03


def hold(lesson: str) -> Table:
    """The table that a lesson prints."""
    return rows(printed("-m", f"examples.teaching.{lesson}", str(lessons() / lesson / "models")))


def taught(lesson: str) -> Table:
    """The table that the tutorial shows below the lesson's command."""
    text = TUTORIAL.read_text(encoding="utf-8")
    after = text.partition(f"python -m examples.teaching.{lesson}\n")[2]
    return rows(re.split(r"\n\n(?=[^|])", after.partition("```\n\n")[2])[0])


def rows(markdown: str) -> Table:
    lines = [line.strip("|").split("|") for line in markdown.strip().splitlines()]
    header = [cell.strip() for cell in lines[0]]
    return [dict(zip(header, (cell.strip() for cell in line), strict=True)) for line in lines[2:]]


def close(column: str, one: str, two: str) -> bool:
    """Whether two figures of a column are the same, as exactly as that can be asked."""
    if one == two:
        return True
    first, second = (float(each.replace(",", "")) for each in (one, two))
    if column.endswith("bytes") or "bytes of" in column:
        return abs(first - second) <= _BYTES
    if column == "download":
        return abs(first - second) <= _DOWNLOAD * first
    return "." in one and abs(first - second) <= _FRACTION


@pytest.mark.parametrize(
    "lesson",
    ["mlp", "cnn", "dropout", "forest", "selection", "augmentation", "pruning", "quantisation", "distillation"],
)
def test_the_tutorial_shows_what_the_lesson_prints(lesson: str) -> None:
    held, shown = hold(lesson), taught(lesson)
    assert [list(row) for row in held] == [list(row) for row in shown]
    differences = [
        f"{column}: {row[column]} is shown, {again[column]} was found"
        for row, again in zip(shown, held, strict=True)
        for column in row
        if not close(column, row[column], again[column])
    ]
    assert differences == []


def test_the_figures_that_the_cases_are_about() -> None:
    """Written out, so that a tutorial that was made again from a wrong lesson does not pass."""
    assert {row["weights"] for row in taught("mlp")} == {"101,770"}
    assert [row["weights"] for row in taught("cnn")] == [
        "320",
        "18,496",
        "102,464",
        "650",
        "121,930",
        "121,930",
        "121,930",
    ]
    dropout = taught("dropout")
    assert dropout[0]["bytes of the .onnx"] == dropout[1]["bytes of the .onnx"]
    assert dropout[0]["weights"] == dropout[1]["weights"] == "101,770"
    assert [row["weights"] for row in taught("distillation")] == ["535,818", "101,770"]
    forest = {(row["trees"], row["depth"], row["rows"]): number(row["nodes"]) for row in taught("forest")}
    assert forest["10", "free", "150"] < forest["100", "free", "150"] < forest["500", "free", "150"]
    assert forest["100", "2", "150"] < forest["100", "4", "150"] < forest["100", "free", "150"]
    assert forest["100", "free", "30"] < forest["100", "free", "75"] < forest["100", "free", "150"]
    augmentation = taught("augmentation")
    assert augmentation[0]["network's bytes"] == augmentation[1]["network's bytes"]
    assert number(augmentation[1]["forest's nodes"]) > 3 * number(augmentation[0]["forest's nodes"])
    pruning = taught("pruning")
    assert len({row["bytes"] for row in pruning}) == 1
    assert [number(row["download"]) for row in pruning] == sorted(
        (number(row["download"]) for row in pruning), reverse=True
    )


def number(figure: str) -> int:
    return int(figure.replace(",", ""))


def test_teacher_and_student_hold_their_budgets_and_stand_side_by_side() -> None:
    hold("distillation")
    folder, reports = lessons() / "distillation", []
    for name in ("teacher", "student"):
        budget = (LESSONS / f"{name}.yaml").read_text(encoding="utf-8")
        (folder / f"{name}.yaml").write_text(budget + SHORT, encoding="utf-8")
        reports.append(folder / f"{name}.json")
        run("-m", "edgecheck", "check", str(folder / f"{name}.yaml"), "--format", f"json={reports[-1]}")
    checks = [json.loads(report.read_text(encoding="utf-8")) for report in reports]
    assert [each["status"] for each in checks] == ["pass", "pass"]
    beside = folder / "beside.json"
    shown = run(
        "-m",
        "edgecheck",
        "compare",
        *map(str, reports),
        "--across",
        "--verbose",
        "--format",
        f"json={beside}",
        "--format",
        "terminal",
    )
    assert "✔ pass  params vs baseline" in shown
    pairs = {
        (check["variant"], verdict["metric"]): (verdict["found"]["value"], verdict["limit"]["error"])
        for check in json.loads(beside.read_text(encoding="utf-8"))["checks"]
        for verdict in check["verdicts"]
    }
    assert pairs["float32", "params vs baseline"] == (101_770, 535_818)
    for variant in ("float32", "int8-dynamic"):
        student, teacher = pairs[variant, "size vs baseline"]
        assert student / teacher == pytest.approx(0.19, abs=0.01)
