"""Finds the YAML files that a path stands for, and the folders that profiles are in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.problems import Place, Problem
from edgecheck.config.text_file import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUFFIXES = (".yaml", ".yml")
_PACKAGE = Path(__file__).resolve().parent.parent


def yaml_files(paths: Iterable[Path], problems: list[Problem]) -> list[Path]:
    """The files that are named, and those in the folders that are named, each once.

    Folders are searched with all that is below them, but for what is hidden.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        found = sorted(_below(path)) if path.is_dir() else [path]
        if not found:
            problems.append(Problem(Place(shown_path(path)), "", "the folder holds no .yaml file"))
        for file in found:
            files.setdefault(Path(os.path.realpath(file)), file)
    return list(files.values())


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in _SUFFIXES and not hidden and path.is_file():
            yield path


def profile_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Profiles by id, from the first folder that has each."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*")):
            if path.suffix in _SUFFIXES and not path.name.startswith("."):
                files.setdefault(path.stem, path)
    return files


def packaged_profiles() -> Path:
    """The folder of the profiles that come with edgecheck: in the wheel, or beside a source checkout's package."""
    return _in_wheel() if _in_wheel().is_dir() else _PACKAGE.parent / "device_profiles"


def comes_along(path: Path) -> bool:
    """Whether a profile's file belongs to an installed edgecheck, and is replaced with it."""
    return path.resolve().parent == _in_wheel()


def _in_wheel() -> Path:
    return _PACKAGE / "_packaged" / "device_profiles"
