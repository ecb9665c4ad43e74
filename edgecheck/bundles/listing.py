"""Every wheel of one distribution on a package index, read from pip's log, and which of them a device can run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from edgecheck.bundles.device_platform import DevicePlatform

if TYPE_CHECKING:
    from packaging.tags import Tag

_WHEEL = re.compile(r"/([A-Za-z0-9][^/\s#()]*\.whl)\b")
_SOURCE = re.compile(r"/([A-Za-z0-9][\w.+-]*?)-\d[^/\s#()]*?\.(?:tar\.gz|tar\.bz2|zip)\b")
_REQUIRES_PYTHON = re.compile(r"\(requires-python:([^)]*)\)")
_MACHINE = re.compile(r"^(?:manylinux_\d+_\d+|musllinux_\d+_\d+|manylinux(?:1|2010|2014)|linux|macosx_\d+_\d+)_")

#: PEP 600's aliases: the minor version of glibc.
_OLD_NAMES = {"manylinux2014": 17, "manylinux2010": 12, "manylinux1": 5}


@dataclass(frozen=True, slots=True)
class Release:
    """One wheel on the index."""

    version: Version
    tags: frozenset[Tag]
    requires_python: str = ""

    def fits(self, platform: DevicePlatform) -> bool:
        """Whether `platform` can install it."""
        return not self.tags.isdisjoint(platform.wheel_tags) and self._takes(platform.markers["python_full_version"])

    def _takes(self, python: str) -> bool:
        try:
            return SpecifierSet(self.requires_python).contains(python)
        except InvalidSpecifier:  # old uploads have them; pip ignores them too
            return True

    @property
    def machines(self) -> frozenset[str]:
        """The machines of its platform tags; `any` where it runs on every machine."""
        return frozenset(_MACHINE.sub("", tag.platform) for tag in self.tags)

    @property
    def glibc(self) -> int | None:
        """The minor version of glibc 2 that it needs; None where its tags do not say."""
        found = [int(match[1]) for tag in self.tags if (match := re.match(r"manylinux_2_(\d+)_", tag.platform))]
        found += [_OLD_NAMES[name] for tag in self.tags if (name := tag.platform.partition("_")[0]) in _OLD_NAMES]
        return min(found, default=None)

    @property
    def pythons(self) -> frozenset[tuple[int, int]]:
        """The versions of CPython in its tags; empty where it runs on any Python 3."""
        matches = (re.fullmatch(r"cp3(\d+)", tag.interpreter) for tag in self.tags)
        return frozenset((3, int(match[1])) for match in matches if match)


@dataclass(frozen=True, slots=True)
class Listing:
    """The releases of one distribution."""

    name: str
    releases: tuple[Release, ...]
    has_source: bool

    def fitting(self, platform: DevicePlatform) -> list[Version]:
        """Versions that have a wheel for `platform`, the oldest first, without prereleases."""
        return sorted(
            {each.version for each in self.releases if each.fits(platform) and not each.version.is_prerelease}
        )


def read_listing(name: str, log: str) -> Listing:
    """What `pip download -vv NAME` found on the index, suitable or not."""
    source = any(canonicalize_name(match[1]) == name for match in _SOURCE.finditer(log))
    return Listing(name, tuple(_releases(name, log)), source)


def _releases(name: str, log: str) -> Iterator[Release]:
    for line in dict.fromkeys(log.splitlines()):
        if (file := _WHEEL.search(line)) is None:
            continue
        try:
            found, version, _, tags = parse_wheel_filename(unquote(file[1]))
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if found == name:
            python = _REQUIRES_PYTHON.search(line)
            yield Release(version, tags, python[1] if python else "")
