"""What a budget inherits, and a budget with several models: `budget_file`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.config import Profiles, lint, load_budgets
from edgecheck.config.files import matching_paths
from edgecheck.config.ratchet import ratcheted
from edgecheck.core.budget import Budget, Variant
from edgecheck.core.limits import Limit, Source
from edgecheck.core.verdict import Status
from edgecheck.errors import ConfigError
from tests.reports.sample import report, result

Write = Callable[[str, str], Path]


def load(*paths: str) -> tuple[Budget, ...]:
    return load_budgets([Path(path) for path in paths], profiles=Profiles())


def problems(*paths: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*paths)
    return list(caught.value.problems)


def bounds(limits: tuple[Limit, ...]) -> dict[str, tuple[float | None, str]]:
    return {limit.metric.name: (limit.error, str(limit.source)) for limit in limits if limit.source.kind == "budget"}


def test_limits_come_from_the_shared_file_unless_the_budget_has_them(write: Write) -> None:
    write("shared/fleet.yaml", "shared: true\nlimits:\n  size: 3 MB\n  params: 1M\ndevices: [pixel-8]\nthreads: 2\n")
    write("budgets/cam.yaml", "model: ../net.tflite\nextends: ../shared/fleet.yaml\nlimits: {size: 2 MB}\n")
    (budget,) = load("budgets")
    ((device, limits),) = budget.devices
    assert (budget.path, budget.threads, device.id) == ("budgets/cam.yaml", 2, "pixel-8")
    assert bounds(limits) == {
        "size": (2_000_000.0, "budgets/cam.yaml:3"),
        "params": (1_000_000.0, "shared/fleet.yaml:4"),
    }


def test_a_chain_and_the_paths_in_it(write: Write) -> None:
    """A path is relative to the file that it is written in."""
    write("a/one.yaml", "shared: true\nmodel: net.onnx\nlimits: {params: 1M}\n")
    write("a/net.onnx", "")
    write("b/two.yaml", "shared: true\nextends: ../a/one.yaml\ndevices: [pixel-8]\n")
    write("c/three.yaml", "extends: ../b/two.yaml\n")
    (budget,) = load("c/three.yaml")
    assert budget.model.path == Path("a/net.onnx")
    assert budget.variants == (Variant("as-is"),)


def test_a_shared_file_is_skipped_in_a_folder_and_its_mistakes_are_not(write: Write) -> None:
    shared = write("budgets/fleet.yaml", "shared: true\nlimits: {size: 3 MB}\n")
    write("budgets/cam.yaml", "model: ../net.tflite\nextends: fleet.yaml\ndevices: [pixel-8]\n")
    assert [budget.path for budget in load("budgets")] == ["budgets/cam.yaml"]
    assert lint([Path("budgets")]).problems == ()
    assert problems("budgets/fleet.yaml") == [
        "budgets/fleet.yaml: is for other budgets to extend (shared: true); name one of those"
    ]
    shared.write_text("shared: true\nlimits: {sise: 3 MB}\ndevices: [pixel-88]\n", encoding="utf-8")
    assert problems("budgets") == [
        "budgets/fleet.yaml:2:10: limits.sise: unknown key; did you mean size?",
        "budgets/fleet.yaml:3:11: devices[0]: there is no device 'pixel-88'; did you mean pixel-8 or pixel-9?",
    ]
    assert [str(one) for one in lint([Path("budgets/fleet.yaml")]).problems] == problems("budgets")


def test_two_files_that_extend_each_other(write: Write) -> None:
    write("a.yaml", "extends: b.yaml\n")
    write("b.yaml", "extends: a.yaml\n")
    assert problems("a.yaml") == ["b.yaml:1:10: extends: extends itself: a.yaml extends b.yaml extends a.yaml"]


def test_several_models_are_as_many_budgets(write: Write) -> None:
    for name in ("models/a.tflite", "models/b.tflite", "models/.hidden.tflite", "models/deep/c.onnx", "models/x.keras"):
        write(name, "")
    write("b.yaml", "model: [models/**/*.onnx, models/*.tflite, models/a.tflite, models/x.keras]\ndevices: [pixel-8]\n")
    budgets = load("b.yaml")
    assert [str(budget.model.path) for budget in budgets] == [
        "models/deep/c.onnx",
        "models/a.tflite",
        "models/b.tflite",
        "models/x.keras",
    ]
    assert {budget.path for budget in budgets} == {"b.yaml"}
    assert [budget.variants[0].name for budget in budgets] == ["as-is", "as-is", "as-is", "float32"]


def test_a_file_whose_name_is_a_pattern_is_that_file(write: Write, here: Path) -> None:
    write("net[1].tflite", "")
    write("net1.tflite", "")
    assert matching_paths("net[1].tflite", here) == [here / "net[1].tflite"]
    assert matching_paths("net?.tflite", here) == [here / "net1.tflite"]
    assert matching_paths("none*", here) == []
    assert matching_paths("none", here) == [here / "none"]


def test_rules_on_growth_per_device(write: Write) -> None:
    write(
        "b.yaml",
        "model: net.tflite\nregression: {size: 1%, instructions: 0.5%}\ndevices:\n"
        "  this-machine: {size: 1 MB, regression: {instructions: off, ram_peak: 5%}}\n"
        "  pixel-8:\n  raspberry-pi-4-2gb: {regression: {instructions: 0.1%}}\n",
    )
    (budget,) = load("b.yaml")
    rules = {
        device.id: {(rule.metric.name, rule.growth, rule.is_shared) for rule in budget.regression.of(device.id)}
        for device, _ in budget.devices
    }
    assert rules == {
        "this-machine": {("size", 0.01, True), ("ram_peak", 0.05, False)},
        "pixel-8": {("size", 0.01, True), ("instructions", 0.005, True)},
        "raspberry-pi-4-2gb": {("size", 0.01, True), ("instructions", 0.001, False)},
    }
    assert budget.regression.of("this-machine")[1].source == Source("budget", "b.yaml", 4)
    assert list(bounds(budget.devices[0][1])) == ["size"]
    assert len(budget.regression.each()) == 4


@pytest.mark.parametrize(
    ("written", "warnings"),
    [
        ("size: 5", ["b.yaml:2:20: regression.size: 5 is 500 %; write 5% if that is meant"]),
        ("size: 1.5", ["b.yaml:2:20: regression.size: 1.5 is 150 %; write 1.5% if that is meant"]),
        ("latency_p50: {growth: 10, atleast: 2 ms}",
         ["b.yaml:2:36: regression.latency_p50: 10 is 1,000 %; write 10% if that is meant"]),
        ("size: 500%", []),
        ("size: 0.05", []),
    ],
)  # fmt: skip
def test_growth_that_looks_like_a_percentage_is_warned_of(write: Write, written: str, warnings: list[str]) -> None:
    write("b.yaml", f"model: net.tflite\nregression: {{{written}}}\ndevices: [pixel-8]\n")
    assert [str(one) for one in lint([Path("b.yaml")]).warnings] == warnings
    write("b.yaml", f"model: net.tflite\ndevices: {{pixel-8: {{regression: {{{written}}}}}}}\n")
    assert len(lint([Path("b.yaml")]).warnings) == len(warnings)


def test_a_shared_limit_is_tightened_where_it_is_written(write: Write) -> None:
    path = write("shared/fleet.yaml", "shared: true\nlimits:\n  size: 3 MB # bytes\n")
    one = result(None)
    size = one.verdicts[0]
    passed = replace(
        size,
        status=Status.PASS,
        limit=replace(size.limit, error=3_000_000, source=Source("budget", "shared/fleet.yaml", 3)),
    )
    done = ratcheted(path, report(replace(one, verdicts=(passed,))), 0.05)
    assert done.after == "shared: true\nlimits:\n  size: 1.58 MB # bytes\n"
