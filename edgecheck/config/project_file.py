"""Reads `edgecheck.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.config.problems import Problem, RefusedError
from edgecheck.config.project_model import ProjectKeys
from edgecheck.config.translation import validate
from edgecheck.config.yaml_reader import read_file

if TYPE_CHECKING:
    from pathlib import Path


def read_project(path: Path) -> tuple[ProjectKeys | None, list[Problem]]:
    """The file's keys, or None and its problems."""
    problems: list[Problem] = []
    try:
        tree = read_file(path)
    except RefusedError as error:
        return None, [error.problem]
    return validate(ProjectKeys, tree, problems), problems
