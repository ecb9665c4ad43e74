"""The rule that finds the quick tests, and that it cannot be broken unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import quick
from tests.cli.command import edgecheck
from tests.quick import forbid_processes, is_quick


def starts_a_command() -> None:
    edgecheck("--version", cwd=Path.cwd())


def starts_a_shell() -> int:
    return os.system("true")


def is_pure() -> str:
    return str(quick.ROOT)


@pytest.fixture
def command_output() -> str:
    return edgecheck("--version", cwd=Path.cwd()).out


@pytest.mark.parametrize(
    ("name", "starts"),
    [("starts_a_command", True), ("starts_a_shell", True), ("is_pure", False), ("command_output", True)],
)
def test_a_function_is_followed_to_what_it_uses(name: str, *, starts: bool) -> None:
    assert quick._reaches(Path(__file__), name) is starts


@pytest.mark.parametrize(
    ("path", "starts"),
    [("edgecheck/core/verdict.py", False), ("edgecheck/reports/junit.py", False), ("edgecheck/targets/local.py", True)],
)
def test_a_module_of_edgecheck_counts_with_all_its_imports(path: str, *, starts: bool) -> None:
    assert quick._reaches(quick.ROOT / path, "") is starts


@pytest.mark.parametrize(
    ("source", "starts"),
    [
        ("MODEL = fetch('a.onnx')", True),
        ("@pytest.mark.parametrize('a', [fetch('a.onnx')])\ndef test_it(a): ...", True),
        ("def test_it():\n    fetch('a.onnx')", False),
        ("DOWNLOAD = fetch", False),
    ],
)
def test_a_module_that_downloads_when_imported_is_found(source: str, *, starts: bool, tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(f"from examples.real_models import fetch\n{source}\n", encoding="utf-8")
    assert quick.starts_when_imported(path) is starts


def test_this_test_is_quick(request: pytest.FixtureRequest) -> None:
    assert is_quick(request.node)
    assert request.node.get_closest_marker("quick") is not None


@given(function=st.just(starts_a_command))
def test_hypothesis_does_not_hide_a_process(function: Callable[[], None]) -> None:
    assert function is starts_a_command


def test_what_hypothesis_wraps_is_followed(request: pytest.FixtureRequest) -> None:
    items = [item for item in request.session.items if item.name == "test_hypothesis_does_not_hide_a_process"]
    assert [is_quick(item) for item in items] in ([], [False])
    assert quick._outermost(test_hypothesis_does_not_hide_a_process) == "test_hypothesis_does_not_hide_a_process"


@pytest.mark.slow
def test_a_slow_test_is_not(request: pytest.FixtureRequest) -> None:
    assert not is_quick(request.node)


@pytest.mark.usefixtures("command_output")
def test_a_test_with_a_process_in_a_fixture_is_not(request: pytest.FixtureRequest) -> None:
    assert not is_quick(request.node)


def test_a_process_in_a_quick_test_fails_it() -> None:
    with forbid_processes(), pytest.raises(pytest.fail.Exception, match="a quick test started a process"):
        subprocess.run([sys.executable, "--version"], check=False)
    with forbid_processes(), pytest.raises(pytest.fail.Exception, match=r"os\.system"):
        os.system("true")


#: What `make converters` installs and `make quick` does without.
FRAMEWORKS = {
    *(
        "catboost",
        "h5py",
        "joblib",
        "keras",
        "lightgbm",
        "onnx_ir",
        "onnxmltools",
        "onnxscript",
        "pandas",
        "safetensors",
    ),
    *("sklearn", "skl2onnx", "skops", "tensorflow", "tf2onnx", "torch", "xgboost"),
}


def test_quick_needs_no_framework() -> None:
    """A test file that imports one, itself or by another module, would not even be collected on a fresh machine."""
    files = [path for path in (quick.ROOT / "tests").rglob("test_*.py") if not quick.has_no_quick_test(path)]
    assert len(files) > 100
    assert {path.name: needed for path in files if (needed := frameworks_of(path))} == {}


@cache
def frameworks_of(path: Path) -> frozenset[str]:
    """The frameworks that importing a file imports."""
    seen, waiting, found = set[Path](), [path], set[str]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        imported = quick._source(here).imports.values()
        found |= {dotted.partition(".")[0] for dotted in imported} & FRAMEWORKS
        waiting += [file for dotted in imported for file, _ in quick._places(dotted)]
    return frozenset(found)
