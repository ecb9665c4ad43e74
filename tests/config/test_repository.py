"""Where edgecheck is called in a repository, and how files are named there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.files import shown_path
from edgecheck.config.repository import folder_in_repository

if TYPE_CHECKING:
    import pytest


def test_the_folder_from_the_git_root(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    inside = here / "apps" / "cam"
    inside.mkdir(parents=True)
    assert folder_in_repository(inside) == ""
    (here / ".git").mkdir()
    assert (folder_in_repository(here), folder_in_repository(inside)) == ("", "apps/cam")


def test_a_jobs_workspace_counts_before_git(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = here / "checkout" / "app"
    inside.mkdir(parents=True)
    (here / "checkout" / ".git").mkdir()
    monkeypatch.setenv("GITHUB_WORKSPACE", str(here))
    assert folder_in_repository(inside) == "checkout/app"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(here / "elsewhere"))
    assert folder_in_repository(inside) == "app"


def test_a_file_elsewhere_in_the_repository_is_named_relatively(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "apps" / "cam").mkdir(parents=True)
    monkeypatch.chdir(here / "apps" / "cam")
    assert shown_path(here / "budgets" / "b.yaml") == str(here / "budgets" / "b.yaml")
    (here / ".git").mkdir()
    assert shown_path(here / "budgets" / "b.yaml") == "../../budgets/b.yaml"
    assert shown_path(Path("../../budgets/b.yaml")) == "../../budgets/b.yaml"
    assert shown_path(Path("/etc/b.yaml")) == "/etc/b.yaml"
