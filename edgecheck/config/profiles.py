"""Device profiles by id: from the folders given, from `./device_profiles`, and from those that come along."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.examples import PROFILE_HINT
from edgecheck.config.listing import packaged_profiles, profile_files
from edgecheck.config.problems import did_you_mean
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.units import shown
from edgecheck.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.config.profile_files import ProfileFiles, ProfileFound
    from edgecheck.core.device import DeviceProfile


class Profiles:
    """Every profile that can be named here; files are read when they are first asked for.

    Args:
        folders: Searched before `./device_profiles` and the packaged profiles.

    Raises:
        UsageError: one of `folders` does not exist.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"There is no folder {folder}.", "--profiles takes a folder of device profiles.")
        self._paths = profile_files([*folders, Path("device_profiles"), packaged_profiles()])

    def ids(self) -> tuple[str, ...]:
        """Every device, `this-machine` first, then by name; families are no devices."""
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
        """Why no device is called `name`, as a sentence's end; empty where one is."""
        if name == THIS_MACHINE:
            return ""
        if name not in self._paths:
            return f"there is no device {shown(name)}{did_you_mean(name, self.ids())}"
        if self._files.is_family(name):
            members = ", ".join(self._files.members(name))
            return f"the profile {name!r} is shared by several devices; use one of {members or 'its devices'}"
        return ""

    def find(self, name: str) -> ProfileFound:
        """What came of reading a device's files; `trouble` is empty for it."""
        return self._files.find(name)

    @cached_property
    def _files(self) -> ProfileFiles:
        from edgecheck.config.profile_files import ProfileFiles

        return ProfileFiles(self._paths)

    @cached_property
    def _this_machine(self) -> DeviceProfile:
        from edgecheck.config.this_machine import this_machine

        return this_machine()
