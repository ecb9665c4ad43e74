"""The table of metrics, and that nothing else in the package knows a metric by its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgecheck
from edgecheck.core import emulated, measurement, readers
from edgecheck.core.limits import against_baseline
from edgecheck.core.metrics import METRICS, Family, Metric
from edgecheck.core.units import Unit

PACKAGE = Path(edgecheck.__file__).parent

#: Where a metric may be named: the table, the readers' own tables, and examples in the help of configuration files.
ALLOWED = {
    "core/metrics.py",
    "core/readers.py",
    "core/emulated.py",
    "core/measurement.py",
    "config/budget_model.py",
    "config/profile_model.py",
}

#: Words that JSON documents and other programs' command lines use too; they count only where they name a metric.
COMMON = {"size", "download", "params"}


def constants(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_about_metrics(node: ast.AST) -> bool:
    """`METRICS[...]` and `.get(...)`, comparisons with a `.name`, and collections that hold another metric's name."""
    if isinstance(node, ast.Subscript | ast.Call):
        return any(isinstance(each, ast.Name) and each.id == "METRICS" for each in ast.walk(node))
    if isinstance(node, ast.Compare):
        return any(isinstance(each, ast.Attribute) and each.attr == "name" for each in ast.walk(node))
    if isinstance(node, ast.Set | ast.Tuple | ast.List):
        elements = [each.value for each in node.elts if isinstance(each, ast.Constant)]
        return len(METRICS.keys() & set(elements)) > 1
    return False


def names_in(source: str) -> set[str]:
    tree = ast.parse(source)
    found = METRICS.keys() & set(constants(tree)) - COMMON
    for node in ast.walk(tree):
        if is_about_metrics(node):
            found |= METRICS.keys() & set(constants(node))
    return found


def test_no_other_module_names_a_metric() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if names := names_in(path.read_text(encoding="utf-8")):
            found[name] = names
    assert found.keys() == ALLOWED, found


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('show = METRICS["size"].show', {"size"}),
        ('show = METRICS.get(name, METRICS["size"])', {"size"}),
        ('metric.name == "download"', {"download"}),
        ('limit.metric.name in ("size", "footprint")', {"size", "footprint"}),
        ('_STORED = frozenset({"size", "download"})', {"size", "download"}),
        ('finding = findings.get("latency_p50")', {"latency_p50"}),
        ('{"size": file.size, "params": 3}', set()),
        ('run("apt-get", "download")', set()),
    ],
)
def test_what_counts_as_naming_a_metric(source: str, names: set[str]) -> None:
    assert names_in(source) == names


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_has_a_reader(metric: Metric) -> None:
    if metric.needs_device:
        found = metric.name in readers.ON_DEVICE.keys() | emulated.READERS.keys()
        assert found, f"add {metric.name} to ON_DEVICE in core/readers.py"
    else:
        assert metric.name in readers.WITHOUT_DEVICE, f"add {metric.name} to WITHOUT_DEVICE in core/readers.py"


def test_readers_are_of_known_metrics() -> None:
    tables = (readers.WITHOUT_DEVICE, readers.ON_DEVICE, emulated.READERS, measurement.IN_SHARED_MEMORY)
    assert all(table.keys() <= METRICS.keys() for table in tables)


#: By family: its metrics, in order.
FAMILIES = {
    Family.FILE: ["size", "download", "params", "footprint"],
    Family.MEMORY: ["ram_peak", "ram_model"],
    Family.ACCELERATOR: ["ram_accelerator"],
    Family.LOAD: ["load_time", "load_time_cached", "latency_first"],
    Family.LATENCY: [f"latency_{of}" for of in ("p50", "p75", "p90", "p95", "p99", "mean")],
    Family.COUNT: ["instructions"],
    Family.PLACEMENT: ["offloaded"],
    Family.LIKENESS: ["agreement", "top1"],
}


@pytest.mark.parametrize("family", Family)
def test_families(family: Family) -> None:
    assert [name for name, metric in METRICS.items() if metric.family is family] == FAMILIES[family]


def test_a_load_shows_every_metric_of_its_family() -> None:
    assert {name for name, metric in METRICS.items() if metric.family is Family.LOAD} == readers.PER_PROCESS.keys()


def test_what_is_projected_is_read_from_an_emulated_machine() -> None:
    projected = {name for name, metric in METRICS.items() if metric.projected}
    assert projected
    assert projected <= emulated.READERS.keys()


def test_storage_is_bytes_of_files() -> None:
    assert [name for name, metric in METRICS.items() if metric.takes_storage] == ["size", "download", "footprint"]


def test_a_metric_of_another_version_is_measured_on_a_device() -> None:
    unknown = Metric(name="joules", title="joules", unit=Unit.COUNT, family=None)
    assert unknown.needs_device
    assert not unknown.takes_storage


def test_the_metric_of_a_comparison_is_of_the_same_family_but_not_the_same() -> None:
    compared = against_baseline(METRICS["size"])
    assert compared.family is Family.FILE
    assert compared != METRICS["size"]
