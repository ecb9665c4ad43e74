"""The repository that edgecheck is called in: its root, its commit and its branch."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edgecheck.config.files import git_root


def _repository_root(folder: Path) -> Path | None:
    """The root: `GITHUB_WORKSPACE` if the folder is in it, else the git root; None outside of both."""
    here = Path(os.path.realpath(folder))
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    if workspace and here.is_relative_to(os.path.realpath(workspace)):
        return Path(os.path.realpath(workspace))
    return git_root(here)


def folder_in_repository(folder: Path) -> str:
    """The folder from the root, with slashes: `apps/cam`; empty at the root and outside of a repository."""
    root = _repository_root(folder)
    here = Path(os.path.realpath(folder))
    return "" if root is None or here == root else here.relative_to(root).as_posix()


#: Variables of GitHub, GitLab and Jenkins, in the order in which they are read. On a pull request of GitHub,
#: `GITHUB_REF_NAME` is a number with `/merge`; its own branch is in `GITHUB_HEAD_REF`.
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")
_BRANCHES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME")

_HEADS = "refs/heads/"
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def commit_and_branch(folder: Path) -> tuple[str, str]:
    """Both; each is empty where it is not known: outside of a repository, or with no branch checked out."""
    of_job = tuple(next(filter(None, map(os.environ.get, names)), "") for names in (_COMMITS, _BRANCHES))
    if of_job[0]:
        return of_job[0], of_job[1] or ""
    try:
        return _of_git(folder)
    except (OSError, UnicodeDecodeError):
        return "", ""


def _of_git(folder: Path) -> tuple[str, str]:
    """From HEAD, the loose references and the packed ones (gitrepository-layout(5))."""
    root = git_root(folder)
    if root is None:
        return "", ""
    place = root / ".git"
    if place.is_file():  # a work tree or a submodule: `gitdir: PATH`
        place = (place.parent / place.read_text(encoding="utf-8").partition(":")[2].strip()).resolve()
    head = (place / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return (head, "") if _SHA.fullmatch(head) else ("", "")
    name = head.removeprefix("ref: ")
    common = place / "commondir"
    shared = (place / common.read_text(encoding="utf-8").strip()) if common.exists() else place
    return _resolved(shared, name), name.removeprefix(_HEADS)


def _resolved(folder: Path, name: str) -> str:
    if (folder / name).is_file():
        return (folder / name).read_text(encoding="utf-8").strip()
    packed = folder / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    found = (line.partition(" ") for line in lines)
    return next((sha for sha, _, reference in found if reference == name), "")
