"""The repository that edgecheck is called in: what a forge shows is named from its root."""

from __future__ import annotations

import os
from pathlib import Path

from edgecheck.config.files import upwards


def repository_root(folder: Path) -> Path | None:
    """The root: `GITHUB_WORKSPACE` if the folder is in it, else the git root; None outside of both."""
    here = Path(os.path.realpath(folder))
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    if workspace and here.is_relative_to(os.path.realpath(workspace)):
        return Path(os.path.realpath(workspace))
    return next((above for above in upwards(here) if (above / ".git").exists()), None)


def folder_in_repository(folder: Path) -> str:
    """The folder from the root, with slashes: `apps/cam`; empty at the root and outside of a repository."""
    root = repository_root(folder)
    here = Path(os.path.realpath(folder))
    return "" if root is None or here == root else here.relative_to(root).as_posix()
