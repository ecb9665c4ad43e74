"""Device profiles by id: from given folders, then from `./device_profiles`, then those that come with edgecheck."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.files import SUFFIXES
from edgecheck.config.problems import PROFILE_HINT, did_you_mean
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.units import shown
from edgecheck.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from edgecheck.config.profile_files import ProfileFiles, ProfileFound
    from edgecheck.core.device import DeviceProfile

_PACKAGE = Path(__file__).resolve().parent.parent


class Profiles:
    """Every profile that can be named here; a file is read when it is first needed.

    Args:
        folders: Searched before `./device_profiles` and the packaged profiles.

    Raises:
        UsageError: one of `folders` does not exist.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"There is no folder {folder}.", "--profiles takes a folder of device profiles.")
        self._paths = profile_paths([*folders, Path("device_profiles"), packaged_profiles()])

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
            raise ConfigError([str(problem) for problem in sorted(set(found.problems))], PROFILE_HINT)
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
