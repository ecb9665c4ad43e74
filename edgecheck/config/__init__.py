"""Budgets, device profiles and projects: YAML text to checked values, every problem with its place.

Importing this costs nothing: what reads YAML is loaded by the call that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecheck.config.command_line import limits_from_texts
from edgecheck.config.files import yaml_files
from edgecheck.config.problems import BUDGET_HINT, Findings, Problem
from edgecheck.config.profiles import Profiles
from edgecheck.config.project import Project, load_project
from edgecheck.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgecheck.core.budget import Budget
    from edgecheck.core.comparability import Allowance

__all__ = [
    "Findings",
    "Problem",
    "Profiles",
    "Project",
    "budget_schema",
    "limits_from_texts",
    "lint",
    "load_allowances",
    "load_budgets",
    "load_project",
    "profile_schema",
]


def load_budgets(paths: Sequence[Path], *, profiles: Profiles) -> tuple[Budget, ...]:
    """The budgets in files and folders, in the order given; in a folder by name, without hidden ones.

    Raises:
        ConfigError: with every problem of every file, and of the profiles that they name.
    """
    from edgecheck.config.budget_file import read_budget

    problems: list[Problem] = []
    files = yaml_files(paths, problems)
    budgets = [read_budget(file, profiles, problems) for file in files]
    if problems:
        raise ConfigError([str(problem) for problem in sorted(set(problems))], BUDGET_HINT)
    return tuple(budget for budget in budgets if budget is not None)


def load_allowances(paths: Sequence[Path]) -> dict[str, tuple[Allowance, ...]]:
    """What budget files say of growth from a baseline, by the path that a report calls each by.

    Raises:
        ConfigError: with every problem of every file.
    """
    from edgecheck.config.budget_file import allowances_of
    from edgecheck.config.files import shown_path

    problems: list[Problem] = []
    found = {shown_path(path): allowances_of(path, problems) for path in paths}
    if problems:
        raise ConfigError([str(problem) for problem in sorted(set(problems))], BUDGET_HINT)
    return found


def budget_schema() -> dict[str, Any]:
    """The JSON Schema of a budget, with descriptions and units for editors."""
    from edgecheck.config.budget_model import BudgetKeys
    from edgecheck.config.schema import json_schema

    return json_schema(BudgetKeys)


def profile_schema() -> dict[str, Any]:
    """The JSON Schema of a device profile, with descriptions and units for editors."""
    from edgecheck.config.profile_model import ProfileKeys
    from edgecheck.config.schema import json_schema

    return json_schema(ProfileKeys)


def lint(paths: Sequence[Path], profiles: Sequence[Path] = ()) -> Findings:
    """Problems of budgets, profiles and `edgecheck.yaml` files, and doubts about valid limits; nothing is run.

    Args:
        paths: Files, and folders whose YAML files are all looked at.
        profiles: Folders to search for profiles first.
    """
    from edgecheck.config import linting

    return linting.lint(paths, profiles)
