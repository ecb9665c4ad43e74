"""Device profiles by id: from given folders, the project's, `./device_profiles`, and those that come with edgecheck."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.files import SUFFIXES, shown_path, upwards
from edgecheck.config.problems import PROFILE_HINT, Problem, did_you_mean
from edgecheck.config.project import find_project
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.units import shown
from edgecheck.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from edgecheck.config.profile_files import ProfileFiles, ProfileFound
    from edgecheck.core.device import DeviceProfile

#: The name of a folder of profiles that need not be declared.
_FOLDER = "device_profiles"

_PACKAGE = Path(__file__).resolve().parent.parent


class Profiles:
    """Every profile that can be named here; a file is read when it is first needed.

    Args:
        folders: Searched first.
        project: Those of the project, searched next; then come `./device_profiles` and the packaged profiles.

    Raises:
        UsageError: one of the folders does not exist.
    """

    def __init__(self, folders: Sequence[Path] = (), project: Sequence[Path] = ()) -> None:
        for folder in (*folders, *project):
            if not folder.is_dir():
                raise UsageError(f"There is no folder {folder}.", "--profiles takes a folder of device profiles.")
        self._first, self._then = tuple(folders), (*project, Path(_FOLDER))
        self._paths = profile_paths([*self._first, *self._then, packaged_profiles()])
        self._near: dict[tuple[Path, ...], Profiles] = {}

    def near(self, folder: Path, problems: list[Problem]) -> Profiles:
        """These profiles, those of the project that `folder` is in, and of each `device_profiles` next to or above it.

        They are searched after the folders that the user gave, and before those of the working directory.

        Args:
            folder: Where a budget is.
            problems: Gets those of the project's file.
        """
        project, wrong = find_project(folder)
        problems += wrong
        beside = (above / _FOLDER for above in upwards(folder))
        known = {os.path.realpath(one) for one in (*self._first, *self._then)}
        found = [Path(shown_path(one)) for one in (*project.profiles, *beside) if one.is_dir()]
        new = tuple(one for one in found if os.path.realpath(one) not in known)
        if not new:
            return self
        if new not in self._near:
            self._near[new] = Profiles(self._first, (*new, *self._then[:-1]))
        return self._near[new]

    def ids(self) -> tuple[str, ...]:
        """Every device, `this-machine` first, then by name; a family is not a device."""
        return (THIS_MACHINE, *(name for name in sorted(self._paths) if not self._files.is_family(name)))

    def get(self, name: str) -> DeviceProfile:
        """The profile of a device.

        Raises:
            ConfigError: its files have problems.
            UsageError: there is no such device.
        """
        if name == THIS_MACHINE:
            return self._this_machine
        if trouble := self.trouble(name):
            sentence = f"{trouble[0].upper()}{trouble[1:]}{'' if trouble.endswith('?') else '.'}"
            raise UsageError(sentence, "`edgecheck devices` lists them.")
        found = self.find(name)
        if found.profile is None:
            raise ConfigError(sorted(set(found.problems)), PROFILE_HINT)
        return found.profile

    def trouble(self, name: str) -> str:
        """Why no device has this name, without a full stop; empty if one has."""
        if name == THIS_MACHINE:
            return ""
        if name not in self._paths:
            return f"there is no device {shown(name)}{did_you_mean(name, self.ids())}"
        if self._files.is_family(name):
            members = ", ".join(self._files.members(name))
            return f"the profile {name!r} is shared by several devices; use one of {members or 'its devices'}"
        return ""

    def find(self, name: str) -> ProfileFound:
        """The profile of a device or the problems of its files; `trouble` is empty for its name."""
        return self._files.find(name)

    @cached_property
    def _files(self) -> ProfileFiles:
        from edgecheck.config.profile_files import ProfileFiles

        return ProfileFiles(self._paths)

    @cached_property
    def _this_machine(self) -> DeviceProfile:
        from edgecheck.config.this_machine import this_machine

        return this_machine()


def profile_paths(folders: Iterable[Path]) -> dict[str, Path]:
    """The files of profiles by id, each from the first folder that has it."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*")):
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                files.setdefault(path.stem, path)
    return files


def packaged_profiles() -> Path:
    """The folder of the profiles that come with edgecheck: in the wheel, or next to the package in a checkout."""
    return _in_wheel() if _in_wheel().is_dir() else _PACKAGE.parent / "device_profiles"


def is_packaged(path: Path) -> bool:
    """Whether a profile's file belongs to an installed edgecheck, which replaces it on an update."""
    return path.resolve().parent == _in_wheel()


def _in_wheel() -> Path:
    return _PACKAGE / "_packaged" / "device_profiles"
