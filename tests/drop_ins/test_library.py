"""`import edgecheck`, as a program uses it.

Covers `api.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgecheck
from edgecheck.core.metrics import Provenance
from edgecheck.reports import FORMATS
from tests.cli import command
from tests.drop_ins.projects import Project


def test_a_model_that_fits(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    report = edgecheck.check(
        project.folder / "net.onnx",
        limits={"size": "1.6 MB", "ram_peak": "1 GiB", "params": 400_000},
        progress=said.append,
    )
    assert report.status is edgecheck.Status.PASS
    (result,) = report.results
    by_metric = {verdict.metric.name: verdict for verdict in result.verdicts}
    assert by_metric["size"].found == (project.folder / "net.onnx").stat().st_size
    assert by_metric["params"].found == 389_040
    assert 20e6 < (by_metric["ram_peak"].found or 0) < 1e9
    assert result.findings is not None
    assert result.findings["latency_p50"].provenance is Provenance.MEASURED  # type: ignore[union-attr]
    assert said
    assert capfd.readouterr() == ("", "")
    assert not (project.folder / ".edgecheck").exists()


def test_a_budget_that_does_not_hold(project: Project) -> None:
    project.budget("1 MB")
    report = edgecheck.check("budgets", root=project.folder)
    assert report.status is edgecheck.Status.FAIL
    (verdict,) = report.verdicts
    assert verdict.reason == "1.56 MB is over 1.00 MB"
    assert "✘ fail  size  1.56 MB  ≤ 1.00 MB  56% over  static" in edgecheck.render(report)


def test_no_path_is_what_the_project_names(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("edgecheck.yaml", "budgets: [budgets/net.yaml]\n")
    monkeypatch.chdir(project.folder)
    assert edgecheck.check().status is edgecheck.Status.PASS


def test_one_string_is_one_device_and_not_its_letters(project: Project) -> None:
    report = edgecheck.check(
        project.folder / "net.onnx",
        devices="raspberry-pi-4-2gb",
        targets="local",
        variants="as-is",
        limits={"latency_p50": "off"},
        on_unknown="ignore",
    )
    assert [result.profile.id for result in report.results] == ["raspberry-pi-4-2gb"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_what_the_command_writes(project: Project, name: str) -> None:
    """Of the very same results: the library reads what the command wrote and tells it again."""
    done = command.edgecheck("check", "--format", "json=head.json", cwd=project.folder)
    assert done.code == 0
    report = edgecheck.load_report(project.folder / "head.json")
    told = command.edgecheck("report", "head.json", "--format", f"{name}=told", cwd=project.folder)
    assert told.code == 0, told.err
    assert edgecheck.render(report, name) == (project.folder / "told").read_text(encoding="utf-8")


def test_the_command_and_the_library_say_the_same(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    project.budget("1.5 MB", "regression: {size: 1%}\n")
    first = edgecheck.render(edgecheck.check(), "json")
    (project.folder / "base.json").write_text(first, encoding="utf-8")
    done = command.edgecheck("check", "--baseline", "base.json", "--format", "json", cwd=project.folder)
    ours = json.loads(edgecheck.render(edgecheck.check(baseline="base.json"), "json"))
    theirs = json.loads(done.out)
    for each in (ours, theirs):
        del each["seconds"], each["started"]
        for check in each["checks"]:
            del check["seconds"]
            check.pop("fingerprint", None)  # by which --resume knows a check: the library does not resume
    assert json.dumps(ours, indent=1).splitlines() == json.dumps(theirs, indent=1).splitlines()
    assert len(ours["checks"][0]["verdicts"]) == 2


def test_a_baseline_that_the_model_grew_from(project: Project) -> None:
    project.budget("2 MB", "regression: {size: 1%}\n")
    project.model("mtcnn_rnet.onnx")
    smaller = edgecheck.check("budgets", root=project.folder)
    project.write("base.json", edgecheck.render(smaller, "json"))
    project.model()
    report = edgecheck.check("budgets", root=project.folder, baseline="base.json")
    assert [verdict.status.value for verdict in report.verdicts] == ["pass", "fail"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limits": {"sise": "1 MB"}}, 'limits={"sise": "1 MB"}: unknown metric'),
        ({"limits": {"size": 5}}, "'5' has no unit; expected a size with its unit"),
        ({"on_unknown": "skip"}, "on_unknown is 'skip'"),
        ({"variants": "int9"}, "Unknown variant 'int9'"),
        ({"devices": "raspberry-pi-9"}, "raspberry-pi-9"),
        ({"targets": "moon"}, "moon"),
        ({"baseline": "nothing.json"}, "nothing.json could not be read"),
        ({"root": "/nowhere"}, "/nowhere"),
    ],
)
def test_a_wrong_argument_is_an_error_that_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, object], message: str
) -> None:
    monkeypatch.chdir(project.folder)
    with pytest.raises(edgecheck.EdgecheckError, match=message):
        edgecheck.check("net.onnx", **arguments)  # type: ignore[arg-type]


def test_a_hint_is_written_as_arguments_are(project: Project) -> None:
    with pytest.raises(edgecheck.EdgecheckError) as caught:
        edgecheck.check(project.folder / "net.onnx", limits={"size": 5})
    assert caught.value.hint == 'Write a metric and its bound: limits={"ram_peak": "80MiB"}'


def test_budgets_with_their_defaults(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    (budget,) = edgecheck.load_budgets("budgets")
    assert (budget.name, budget.path, [profile.id for profile, _ in budget.devices]) == (
        "net",
        "budgets/net.yaml",
        ["pixel-8"],
    )
    project.write("budgets/net.yaml", "modle: net.onnx\n")
    with pytest.raises(edgecheck.EdgecheckError, match=r"budgets/net.yaml:1:1: .*model"):
        edgecheck.load_budgets("budgets")


def test_a_format_that_does_not_exist(project: Project) -> None:
    report = edgecheck.check("budgets", root=project.folder)
    with pytest.raises(edgecheck.EdgecheckError, match="Unknown format 'pdf'"):
        edgecheck.render(report, "pdf")


def test_the_names_are_these_and_no_others() -> None:
    assert set(edgecheck.__all__) <= set(dir(edgecheck))
    assert [name for name in edgecheck.__all__ if getattr(edgecheck, name).__name__ != name] == []
    with pytest.raises(AttributeError, match="has no attribute 'chekc'"):
        _ = edgecheck.chekc


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import edgecheck", ("typing", "click", "yaml", "numpy", "rich", "edgecheck.api")),
        (
            "import edgecheck; edgecheck.check",
            ("click", "yaml", "numpy", "rich", "edgecheck.checks.perform"),
        ),
        ("import edgecheck.pytest_plugin", ("click", "yaml", "numpy", "rich", "edgecheck.core")),
    ],
)
def test_importing_it_imports_nothing_that_is_not_used_yet(code: str, absent: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys\n{code}\nprint(*sys.modules, sep='\\n')"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    loaded = set(done.stdout.splitlines())
    assert "edgecheck" in loaded
    assert not loaded & set(absent)


def test_type_checkers_see_the_library(tmp_path: Path, root: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import edgecheck\n"
        'report: edgecheck.Report = edgecheck.check("net.onnx", limits={"size": "1 MB"})\n'
        "reveal_type(report.status)\n"
        "edgecheck.check(limits=3)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", tmp_path / "cache", program],
        check=False,
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert 'Revealed type is "edgecheck.core.verdict.Status"' in done.stdout, done.stdout
    assert 'program.py:4: error: Argument "limits" to "check" has incompatible type "int"' in done.stdout
    assert "Found 1 error in 1 file" in done.stdout
