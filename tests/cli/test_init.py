"""`edgecheck init`: what it writes holds, asks on a terminal, and never overwrites.

Covers `config/first_files.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edgecheck.config.first_files import CI_FILES, ci_file, project_file
from examples.real_models import fetch
from tests.cli.command import edgecheck
from tests.drop_ins.terminal import terminal


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "a net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    return tmp_path


def test_what_it_writes_holds(here: Path) -> None:
    done = edgecheck("init", "a net.onnx", "--ci", "github", "--headroom", "100%", cwd=here)
    assert (done.code, done.out) == (0, ""), done.err
    assert re.sub(r"for .*\.", "for it.", done.err.splitlines()[0]) == "Measuring a net.onnx for it."
    assert done.err.splitlines()[1:] == [
        "Wrote budgets/a-net.yaml: the limits; edit them to what you need.",
        "Wrote budget.schema.json: the schema by which editors complete and check budgets.",
        "Wrote edgecheck.yaml: where budgets and devices are.",
        "Wrote .github/workflows/edgecheck.yml: the CI job.",
        "Replace OWNER and the zeros in .github/workflows/edgecheck.yml by where you have edgecheck from.",
        "Next: edgecheck check budgets/a-net.yaml",
    ]
    text = (here / "budgets" / "a-net.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../budget.schema.json\n# From figures of ")
    schema = json.loads((here / "budget.schema.json").read_text(encoding="utf-8"))
    assert "pixel-8" in json.dumps(schema)
    assert edgecheck("budget", "lint", "budgets", "edgecheck.yaml", cwd=here).code == 0
    assert edgecheck("check", "--quiet", cwd=here).code == 0


def test_nothing_is_overwritten(here: Path) -> None:
    (here / "edgecheck.yaml").write_text("budgets: budgets\n", encoding="utf-8")
    (here / "budgets").mkdir()
    (here / ".gitlab-ci.yml").write_text("mine: true\n", encoding="utf-8")
    # A phone that is not here: the figures are those of the file.
    phone = ("--device", "pixel-8")
    done = edgecheck("init", "a net.onnx", "--name", "net", "--ci", "gitlab", *phone, cwd=here)
    assert done.code == 0
    assert "Kept  edgecheck.yaml, which exists." in done.err
    assert "Kept  .gitlab-ci.yml, which exists." in done.err
    assert "Replace OWNER" not in done.err
    assert (here / ".gitlab-ci.yml").read_text(encoding="utf-8") == "mine: true\n"
    before = (here / "budgets" / "net.yaml").read_bytes()
    again = edgecheck("init", "a net.onnx", "--name", "net", *phone, cwd=here)
    assert (again.code, again.out) == (2, "")
    assert again.err.startswith("edgecheck: budgets/net.yaml already exists, and init overwrites nothing.")
    assert "Measuring" not in again.err
    assert (here / "budgets" / "net.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "edgecheck: No model is named."),
        (["a net.onnx", "--name", "../x"], "edgecheck: --name ../x is not a valid name."),
        (["a net.onnx", "--device", "banana"], "edgecheck: There is no device 'banana'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, here: Path) -> None:
    done = edgecheck("init", *arguments, cwd=here)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)
    assert not (here / "budgets").exists()


def test_it_asks_on_a_terminal(here: Path) -> None:
    with terminal([sys.executable, "-m", "edgecheck", "init"], here, {}) as opened:
        opened.wait_for(r"Model file: ")
        opened.type("a net.onnx\r")
        opened.wait_for("Devices, separated by spaces \\[this-machine\\]: ")
        opened.type("\r")
        opened.wait_for(r"CI system \(github, gitlab, none\) \[none\]: ")
        opened.type("gitlab\r")
        opened.wait_for("Next: edgecheck check budgets/a-net.yaml", seconds=120)
    assert (here / ".gitlab-ci.yml").exists()


@pytest.mark.parametrize("emulated", [True, False])
def test_the_jobs_are_valid(emulated: bool, tmp_path: Path) -> None:  # noqa: FBT001 - parametrized
    workflow = tmp_path / ".github/workflows/edgecheck.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(ci_file("github", emulated=emulated), encoding="utf-8")
    tool = Path(sys.executable).parent
    checked = subprocess.run(
        [tool / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow],
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
    audited = subprocess.run(
        [tool / "zizmor", "--offline", "--no-progress", tmp_path], check=False, capture_output=True, text=True
    )
    assert audited.returncode == 0, audited.stdout
    assert "edgecheck" in yaml.safe_load(ci_file("gitlab", emulated=emulated))
    assert ("qemu" in ci_file("gitlab", emulated=emulated)) is emulated
    with pytest.raises(KeyError):
        ci_file("jenkins", emulated=emulated)
    assert sorted(CI_FILES) == ["github", "gitlab"]


def test_addresses_are_kept() -> None:
    assert yaml.safe_load(project_file({"pi": "ssh://pi@rack-1"})) == {
        "budgets": "budgets",
        "targets": {"pi": "ssh://pi@rack-1"},
    }
    assert yaml.safe_load(project_file({})) == {"budgets": "budgets"}
