"""Budgets, device profiles and projects: from YAML to checked values, with every problem at its place.

Importing this costs little: what reads YAML is imported by the call that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.config.command_line import limits_from_texts, shapes_from_texts
from edgecheck.config.files import shown_path, yaml_files
from edgecheck.config.problems import BUDGET_HINT, Findings, Place, Problem
from edgecheck.config.profiles import Profiles
from edgecheck.config.project import Project, load_project
from edgecheck.errors import ConfigError

if TYPE_CHECKING:
    from edgecheck.core.budget import Budget
    from edgecheck.core.limits import Growths

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
    "project_schema",
    "shapes_from_texts",
]


def load_budgets(paths: Sequence[Path], *, profiles: Profiles) -> tuple[Budget, ...]:
    """The budgets in files and folders, in the given order; in a folder by name, without hidden and shared files.

    A budget with several models is one for each of them. Devices are also looked for next to and above each file.

    Raises:
        ConfigError: with every problem of every file and of the profiles that they name.
    """
    from edgecheck.config.budget_file import read_budgets

    problems: list[Problem] = []
    files = yaml_files(paths, problems)
    budgets: list[Budget] = []
    for file in files:
        budgets += read_budgets(file, profiles.near(file.parent, problems), problems)
    if not budgets and not problems:
        message = "is for other budgets to extend (shared: true); name one of those"
        problems += [Problem(Place(shown_path(file)), "", message) for file in files]
    _ensure_none(problems)
    return tuple(budgets)


def load_allowances(paths: Sequence[Path]) -> dict[str, Growths]:
    """The rules on growth in budget files, by the path that a report has for each file.

    Raises:
        ConfigError: with every problem of every file.
    """
    from edgecheck.config.budget_file import growths_of

    problems: list[Problem] = []
    found = {shown_path(path): growths_of(path, problems) for path in paths}
    _ensure_none(problems)
    return found


def _ensure_none(problems: Sequence[Problem]) -> None:
    if problems:
        raise ConfigError(sorted(set(problems)), BUDGET_HINT)


def budget_schema(devices: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON Schema of a budget, with descriptions and units for editors.

    Args:
        devices: Names to complete under `devices:`. Others stay valid: a profile may be added later.
    """
    from edgecheck.config.budget_model import BudgetKeys
    from edgecheck.config.schema import json_schema

    schema = json_schema(BudgetKeys)
    if known := list(devices):
        as_list, as_mapping = schema["properties"]["devices"]["oneOf"]
        as_list["items"] = {"anyOf": [{"enum": known}, as_list["items"]]}
        as_mapping["properties"] = dict.fromkeys(known, as_mapping["additionalProperties"])
    return schema


def project_schema() -> dict[str, Any]:
    """The JSON Schema of `edgecheck.yaml`."""
    from edgecheck.config.project_model import ProjectKeys
    from edgecheck.config.schema import json_schema

    return json_schema(ProjectKeys)


def profile_schema() -> dict[str, Any]:
    """The JSON Schema of a device profile, with descriptions and units for editors."""
    from edgecheck.config.profile_model import ProfileKeys
    from edgecheck.config.schema import json_schema

    return json_schema(ProfileKeys)


def lint(paths: Sequence[Path], profiles: Sequence[Path] = (), project: Sequence[Path] = ()) -> Findings:
    """Problems of budgets, profiles and `edgecheck.yaml` files, and doubts about valid limits. Nothing runs.

    Args:
        paths: Files, and folders all of whose YAML files are read.
        profiles: Folders to search for profiles first.
        project: Those of the project that the command is called in, to search next.
    """
    from edgecheck.config import linting

    return linting.lint(paths, profiles, project)
