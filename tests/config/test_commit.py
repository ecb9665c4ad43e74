"""The commit and the branch: of a CI job, and of a repository of git as git itself writes it.

Covers `config/repository.py`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgecheck.config.repository import commit_and_branch

VARIABLES = (
    *("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"),
    *("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME"),
)


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@e", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "first")
    return folder


def test_in_a_repository(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    below = repository / "apps" / "cam"
    below.mkdir(parents=True)
    assert commit_and_branch(below) == (commit, "main")
    git(repository, "pack-refs", "--all")
    assert commit_and_branch(repository) == (commit, "main")
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    assert commit_and_branch(repository) == (commit, "feature/x")
    git(repository, "checkout", "--quiet", "--detach")
    assert commit_and_branch(repository) == (commit, "")


def test_in_a_work_tree(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    assert commit_and_branch(tmp_path / "tree") == (git(repository, "rev-parse", "HEAD"), "other")


def test_outside_of_a_repository_and_before_the_first_commit(tmp_path: Path) -> None:
    assert commit_and_branch(tmp_path) == ("", "")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    assert commit_and_branch(tmp_path) == ("", "main")
    (tmp_path / ".git" / "HEAD").write_bytes(b"\xff\xff")
    assert commit_and_branch(tmp_path) == ("", "")


def test_a_job_knows_better(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "a" * 40)
    monkeypatch.setenv("GITHUB_REF_NAME", "7/merge")
    assert commit_and_branch(repository) == ("a" * 40, "7/merge")
    monkeypatch.setenv("GITHUB_HEAD_REF", "feature")
    assert commit_and_branch(repository) == ("a" * 40, "feature")
