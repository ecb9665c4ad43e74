"""The hook, installed and run by the real pre-commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.drop_ins.github_runner import BIN
from tests.drop_ins.projects import Project, make_repository


def files_of(root: Path) -> list[str]:
    """What a commit of the working tree would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (root / name).exists()]


@pytest.fixture(scope="session")
def published(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Ourselves as a repository with one commit, and that commit."""
    ours = Project(tmp_path_factory.mktemp("published"))
    for name in files_of(root):
        if name.startswith(
            (
                "edgecheck/",
                "edgecheck_agent/",
                "device_profiles/",
                ".pre-commit-hooks.yaml",
                "pyproject",
                "README",
                "tools/package_plugin.py",
                "tools/package_readme.py",
                "LICENSE",
            )
        ):
            place = ours.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, place)
    ours.git("init", "--quiet")
    return ours.folder, ours.commit("release")


def pre_commit(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run(
        [BIN / "pre-commit", *arguments],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=project.folder,
        env=os.environ | {"PRE_COMMIT_COLOR": "never"},
        timeout=280,
    )


def test_the_manifest_is_valid(root: Path) -> None:
    done = subprocess.run(
        [BIN / "pre-commit", "validate-manifest", root / ".pre-commit-hooks.yaml"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("budgets/net.yaml", True),
        ("models/face/budgets/net.yml", True),
        ("device_profiles/board.yaml", True),
        ("edgecheck.yaml", True),
        ("apps/cam/edgecheck.yaml", True),
        ("myedgecheck.yaml", False),
        ("budgets/README.md", False),
        ("mybudgets/net.yaml", False),
        ("budgets/golden/net.yaml", False),
        (".github/workflows/gate.yaml", False),
    ],
)
def test_which_files_it_takes(root: Path, path: str, taken: bool) -> None:  # noqa: FBT001 - a case's data
    (hook,) = yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert bool(re.search(hook["files"], path)) is taken


@pytest.fixture
def hooked(tmp_path: Path, root: Path, published: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the documentation's very configuration, but for where edgecheck is."""
    place, revision = published
    monkeypatch.setenv("PRE_COMMIT_HOME", str(place.parent / "pre-commit"))
    told = re.sub(r"repo: \S+", f"repo: {place}", _configurations(root)[0])
    told, count = re.subn(r"rev: \S+", f"rev: {revision}", told)
    assert count == 1
    project = make_repository(tmp_path / "repository")
    project.write(".pre-commit-config.yaml", told)
    assert pre_commit(project, "validate-config").returncode == 0
    return project


def _configurations(root: Path) -> list[str]:
    """The page's: the whole file, and the hook that looks at everything."""
    page = (root / "docs/how-to/pre-commit.md").read_text(encoding="utf-8")
    found: list[str] = re.findall(r"```yaml\n# \.pre-commit-config\.yaml.*?\n(.*?)```", page, re.DOTALL)
    assert len(found) == 2
    return found


def test_a_commit_with_a_broken_budget_is_refused(hooked: Project) -> None:
    hooked.budget("1.6 MB")
    hooked.git("add", "--all")
    done = pre_commit(hooked, "run")
    assert done.returncode == 0, done.stdout
    assert re.search(r"edgecheck budget lint\.+Passed", done.stdout)

    assert pre_commit(hooked, "install").returncode == 0
    hooked.write("budgets/net.yaml", "model: ../net.onnx\nlimits: {sise: 1 MB}\ndevices: {this-machine: }\n")
    hooked.git("add", "--all")
    before = hooked.git("rev-parse", "HEAD")
    refused = subprocess.run(
        ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--message", "broken"],
        check=False,
        capture_output=True,
        text=True,
        cwd=hooked.folder,
    )
    assert refused.returncode == 1
    assert "budgets/net.yaml:2:10: " in refused.stderr + refused.stdout
    assert hooked.git("rev-parse", "HEAD") == before


def test_a_hook_for_all_files(hooked: Project, root: Path) -> None:
    """A profile that nobody changed in this commit, and that a budget names, is looked at."""
    whole = (hooked.folder / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooked.write(
        ".pre-commit-config.yaml", whole.replace("      - id: edgecheck-budget-lint\n", _configurations(root)[1])
    )
    hooked.write("device_profiles/board.yaml", "extends: raspberry-pi-4\nnaem: board\n")
    hooked.commit("a profile with a mistake")
    hooked.budget("1.6 MB")
    hooked.git("add", "--all")
    done = pre_commit(hooked, "run")
    assert done.returncode == 1, done.stdout
    assert "device_profiles/board.yaml:2:1: " in done.stdout
