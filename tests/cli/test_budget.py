"""`edgecheck budget lint` and `edgecheck budget schema`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

from tests.cli.command import edgecheck


def test_our_own_files_have_no_problem(root: Path, example_models: Path) -> None:
    assert example_models.is_dir()
    done = edgecheck("budget", "lint", "budgets", "device_profiles", cwd=root)
    assert done.code == 0, done.out
    assert ": 0 problems, 0 warnings." in done.err


def test_problems_and_warnings(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    (tmp_path / "bad.yaml").write_text("model: net.onnx\nlimits: {size: 12 mb}\ndevices: [pixel-8]\n", encoding="utf-8")
    (tmp_path / "odd.yaml").write_text("model: net.onnx\ndevices: {pixel-8: {ram_peak: 900 GB}}\n", encoding="utf-8")
    done = edgecheck("budget", "lint", ".", cwd=tmp_path)
    problem, warning = done.out.splitlines()
    assert done.code == 2
    assert problem == "bad.yaml:2:16: limits.size: unit 'mb' is not known; did you mean MB?"
    assert warning.startswith("odd.yaml:2:")
    assert warning.endswith("(warning)")
    assert done.err == "2 files: 1 problem, 1 warning.\n"


def test_nothing_to_lint(tmp_path: Path) -> None:
    assert edgecheck("budget", "lint", cwd=tmp_path).code == 2


def test_schemas(tmp_path: Path) -> None:
    for arguments in (["budget", "schema"], ["budget", "schema", "--profile"]):
        Draft202012Validator.check_schema(json.loads(edgecheck(*arguments, cwd=tmp_path).out))


def test_a_budget_is_opened_once(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    text = "model: net.onnx\nregression: {instructions: 0.01%}\ndevices: [pixel-8]\n"
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    code = (
        "import sys\nopened = []\n"
        "sys.addaudithook(lambda name, of: opened.append(str(of[0])) if name == 'open' else None)\n"
        "from edgecheck.cli.main import main\n"
        "main(['budget', 'lint', 'net.yaml'])\n"
        "print(sum(name.endswith('net.yaml') for name in opened))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    warning, count = done.stdout.splitlines()
    assert "two counts differ by up to 0.1%" in warning
    assert count == "1"
