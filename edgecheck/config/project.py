"""A project: where it has its budgets and profiles, and at which addresses its devices are.

That is in `edgecheck.yaml`, or in `[tool.edgecheck]` of `pyproject.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgecheck.config.files import matching_paths, shortest, shown_path, upwards
from edgecheck.config.problems import PROJECT_HINT, Problem
from edgecheck.core.address import Address, kind_of, parse
from edgecheck.errors import ConfigError, UsageError

#: The files of a project; the first counts where a folder has both.
FILES = ("edgecheck.yaml", "pyproject.toml")
_BUDGETS = "budgets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What holds for every command inside a project."""

    #: The folder of the file; without a file, the folder where the search started.
    root: Path
    #: Files and folders to check when none is named; by default `./budgets`, if it exists.
    budgets: tuple[Path, ...]
    #: Folders to search for profiles first.
    profiles: tuple[Path, ...] = ()
    #: Addresses by device; of several, the first.
    targets: Mapping[str, Address] = field(default_factory=dict)
    #: Every address of each device that has several.
    racks: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)

    def addresses(self, text: str) -> tuple[Address, ...]:
        """As `address`; where the name of a device with several boards is given, all of them."""
        return self.racks.get(text) or (self.address(text),)

    def address(self, text: str) -> Address:
        """The address that `text` is, or that is saved under this name of a device.

        Raises:
            UsageError: it is neither, or several are saved.
        """
        if text in self.racks:
            boards = ", ".join(map(str, self.racks[text]))
            raise UsageError(f"{text} has {len(self.racks[text])} boards in {FILES[0]}: {boards}.", "Name one of them.")
        if text in self.targets:
            return self.targets[text]
        try:
            return parse(text)
        except UsageError as error:
            if kind_of(text) is not None or not self.targets:
                raise
            saved = ", ".join(sorted(self.targets))
            raise UsageError(error.message, f"{error.hint} Saved in {FILES[0]}: {saved}.") from error


def load_project(start: Path) -> Project:
    """The project that `start` is in; its file is searched for upwards, to the git root or the home folder.

    Raises:
        ConfigError: the file has problems.
    """
    project, problems = find_project(start)
    if problems:
        raise ConfigError(problems, PROJECT_HINT)
    return project


def find_project(start: Path) -> tuple[Project, tuple[Problem, ...]]:
    """As `load_project`, with the problems of the file; if it has any, the project is as without it."""
    for folder in upwards(start):
        for name in FILES:
            if is_project(folder / name):
                return _read(folder / name)
    return Project(root=start, budgets=_default_budgets(start)), ()


def is_project(path: Path) -> bool:
    """Whether a file says what a project's file does."""
    if path.name not in FILES or not path.is_file():
        return False
    if path.suffix != ".toml":
        return True
    from edgecheck.config.toml_reader import has_table  # few projects have it

    return has_table(path)


def _default_budgets(root: Path) -> tuple[Path, ...]:
    folder = Path(shown_path(root / _BUDGETS))
    return (folder,) if folder.is_dir() else ()


def _read(path: Path) -> tuple[Project, tuple[Problem, ...]]:
    from edgecheck.config.project_model import read_project  # PyYAML: paid for only where there is a file

    root, found = path.parent, read_project(path)
    keys = found.keys
    if keys is None:
        return Project(root=root, budgets=_default_budgets(root)), found.problems
    budgets = _paths(root, keys.budgets) if keys.budgets is not None else _default_budgets(root)
    targets = {device: each[0] for device, each in keys.targets.items()}
    racks = {device: each for device, each in keys.targets.items() if len(each) > 1}
    return Project(root=root, budgets=budgets, profiles=_paths(root, keys.profiles), targets=targets, racks=racks), ()


def _paths(root: Path, texts: str | list[str]) -> tuple[Path, ...]:
    each = [texts] if isinstance(texts, str) else texts
    return tuple(Path(shown_path(shortest(path))) for text in each for path in matching_paths(text, root))
