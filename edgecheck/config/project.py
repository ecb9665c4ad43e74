"""`edgecheck.yaml`: where a project has its budgets and profiles, and at which addresses its devices are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgecheck.config.files import shown_path
from edgecheck.config.problems import PROJECT_HINT
from edgecheck.core.address import Address, kind_of, parse
from edgecheck.errors import ConfigError, UsageError

_NAME = "edgecheck.yaml"
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
    #: Addresses by device.
    targets: Mapping[str, Address] = field(default_factory=dict)

    def address(self, text: str) -> Address:
        """The address that `text` is, or that is saved under this name of a device.

        Raises:
            UsageError: it is neither.
        """
        if text in self.targets:
            return self.targets[text]
        try:
            return parse(text)
        except UsageError as error:
            if kind_of(text) is not None or not self.targets:
                raise
            saved = ", ".join(sorted(self.targets))
            raise UsageError(error.message, f"{error.hint} Saved in {_NAME}: {saved}.") from error


def load_project(start: Path) -> Project:
    """The project that `start` is in; its file is searched for upwards, to the git root or the home folder.

    Raises:
        ConfigError: the file has problems.
    """
    for folder in _upwards(start.absolute()):
        if (folder / _NAME).is_file():
            return _read(folder)
    return Project(root=start, budgets=_default_budgets(start))


def _upwards(folder: Path) -> Iterator[Path]:
    home = Path.home()
    for candidate in (folder, *folder.parents):
        yield candidate
        if candidate == home or (candidate / ".git").exists():
            return


def _default_budgets(root: Path) -> tuple[Path, ...]:
    folder = Path(shown_path(root / _BUDGETS))
    return (folder,) if folder.is_dir() else ()


def _read(root: Path) -> Project:
    from edgecheck.config.project_model import read_project  # PyYAML: paid for only where there is a file

    keys, problems = read_project(root / _NAME)
    if keys is None:
        raise ConfigError([str(problem) for problem in problems], PROJECT_HINT)
    budgets = _paths(root, keys.budgets) if keys.budgets is not None else _default_budgets(root)
    return Project(root=root, budgets=budgets, profiles=_paths(root, keys.profiles), targets=keys.targets)


def _paths(root: Path, texts: str | list[str]) -> tuple[Path, ...]:
    return tuple(Path(shown_path(root / text)) for text in ([texts] if isinstance(texts, str) else texts))
