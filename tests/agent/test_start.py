"""How the agent is started: as a file of a copied folder, with no module from anywhere else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.real_models import fetch
from tests.agent.agent_runs import AGENT, AgentRun, agent_run, job

POISON = "raise SystemExit(__file__)\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The agent as on a device: its folder alone, with files next to it that are not for it."""
    folder = tmp_path / "device" / "edgecheck_agent"
    shutil.copytree(AGENT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("numpy", "json", "jobs"):
        (folder.parent / f"{name}.py").write_text(POISON)
    return folder


def started(folder: Path, cwd: Path, **fields: object) -> AgentRun:
    text = json.dumps(job(fetch("emotion_quantized.tflite"), load={"processes": 1}, **fields))
    argv = [sys.executable, str(folder / "supervisor.py"), "-"]
    done = subprocess.run(argv, input=text.encode(), capture_output=True, cwd=cwd, timeout=60, check=False)
    return agent_run(done.stdout, done.stderr, done.returncode)


def test_neither_what_lies_next_to_it_nor_the_working_folder_supplies_modules(copy: Path) -> None:
    run = started(copy, copy.parent)
    assert run.stderr == ""
    assert run.end["outcome"] == "completed"


def test_a_bundle_may_have_modules_of_the_agents_names(copy: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for module in AGENT.glob("*.py"):
        if module.stem not in sys.stdlib_module_names and module.stem != "__init__":
            (bundle / module.name).write_text(POISON)
    assert (bundle / "procfs.py").exists()
    run = started(copy, tmp_path, python_path=[str(bundle)])
    assert run.stderr == ""
    assert run.end["outcome"] == "completed"


def test_it_runs_through_a_link_to_its_folder(copy: Path, tmp_path: Path) -> None:
    """As in a check's folder on a device, where `agent` is a link into the cache."""
    (tmp_path / "agent").symlink_to(copy.parent)
    assert started(tmp_path / "agent" / copy.name, tmp_path).end["outcome"] == "completed"
