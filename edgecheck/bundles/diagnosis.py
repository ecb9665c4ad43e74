"""Why pip found no wheels for a device, and what would work: from pip's output to an error that says both.

Pip's log lists every wheel of a distribution on the index; the ones that the device could run are the way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from edgecheck.bundles.device_platform import DevicePlatform
from edgecheck.bundles.requirements import Requirements
from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from packaging.tags import Tag

#: A distribution that does the same and is still published, and what to say about it.
_SUCCESSORS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"tflite-runtime": ("ai-edge-litert", "which runs the same .tflite files")}
)

_UNMET = re.compile(r"Could not find a version that satisfies the requirement (.+?) \((?:from versions:|from (.+?)\))")
_NETWORK = re.compile(
    r"ConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Max retries exceeded"
    r"|RemoteDisconnected|Network is unreachable|Could not fetch URL|Connection (?:refused|reset|aborted)"
)
_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|File too large")
_SYSTEM = "use a runtime that is installed on the device (`bundle: system` in a budget, --bundle system)"


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that pip found no wheel for."""

    requirement: Requirement
    needed_by: str
    """The distribution that needs it; empty where the profile requires it."""

    @property
    def name(self) -> str:
        """The distribution's canonical name."""
        return canonicalize_name(self.requirement.name)


def unmet(output: str) -> Unmet | None:
    """The requirement that failed, where pip failed for lack of a wheel."""
    match = _UNMET.search(output)
    if match is None or _unreachable(output):
        return None
    try:
        return Unmet(Requirement(match[1]), canonicalize_name((match[2] or "").partition("==")[0]))
    except InvalidRequirement:
        return None


def runtime_without_wheels(
    failed: Unmet, lines: Sequence[str], platform: DevicePlatform, listing: Callable[[str], Listing]
) -> Unmet:
    """The runtime, where it has no wheel either: pip complains of what it looks at first, such as `numpy<2`.

    Only of a runtime with a successor is that asked: it is the one that a new Python lacks.
    """
    for line in lines:
        pinned = Requirement(line)
        if canonicalize_name(pinned.name) in _SUCCESSORS and canonicalize_name(pinned.name) != failed.name:
            known = listing(canonicalize_name(pinned.name))
            if not any(pinned.specifier.contains(version) for version in known.fitting(platform)):
                return Unmet(pinned, "")
    return failed


def _unreachable(output: str) -> bool:
    """Whether pip could not reach an index: then what it did not find may exist."""
    return bool(_NETWORK.search(output))


def other_failure(output: str, required: Requirements) -> BundleError:
    """The error for a pip that failed for another reason than a missing wheel."""
    if _unreachable(output):
        return BundleError(
            "The package index cannot be reached, and this runtime bundle was not made here before.",
            "Check the network and pip's settings (`pip config list`). A bundle needs the network only once.",
        )
    if _NO_ROOM.search(output):
        return BundleError(
            "The disk that holds edgecheck's cache is full.",
            "Free some space there, or set XDG_CACHE_HOME to a folder that has it.",
        )
    if "conflicting dependencies" in output:
        cause = output.partition("The conflict is caused by:")[2].partition("\n\n")[0]
        lines = [line.strip() for line in cause.splitlines() if line.strip()]
        return BundleError(
            f"No set of wheels satisfies {', '.join(required.lines)}: {'; '.join(lines) or 'they conflict'}.",
            " ".join(("Loosen one of the pins in the profile's `runtimes`.", *required.notes)),
        )
    errors = re.findall(r"^ERROR: (.+)$", output, re.MULTILINE)
    return BundleError(f"pip failed: {' '.join(errors) or output.strip()[-500:]}", f"Fix that, or {_SYSTEM}.")


def explain(failed: Unmet, platform: DevicePlatform, listing: Callable[[str], Listing]) -> BundleError:
    """The error for a missing wheel, with alternatives that were looked up on the index."""
    known = listing(failed.name)
    needing = f", which {failed.needed_by} needs," if failed.needed_by else ""
    message = f"No wheel of {failed.requirement}{needing} fits {platform}: {_why(failed, platform, known)}."
    return BundleError(message, _sentence(_alternatives(failed, platform, known, listing)))


def _why(failed: Unmet, platform: DevicePlatform, known: Listing) -> str:
    name = failed.name
    if not known.releases:
        return f"{name} is published as source only" if known.has_source else f"the package index has no {name}"
    specifier = failed.requirement.specifier
    matching = [each for each in known.releases if specifier.contains(each.version, prereleases=True)]
    if not matching:
        return f"{name} has no such release with wheels"
    here = [each for each in matching if each.machines & {platform.machine, "any"}]
    if not here:
        return f"it has none for {platform.machine}"
    if platform.libc == "musl" and any(
        each.fits(replace(platform, libc="glibc", libc_version=(2, 99))) for each in here
    ):
        return "its wheels are for glibc, not for musl"
    if platform.libc == "glibc" and (newer := _glibc_needed(here, platform)):
        return f"its wheels need glibc 2.{newer} or newer"
    return _pythons(here)


def _glibc_needed(releases: Sequence[Release], platform: DevicePlatform) -> int:
    any_glibc = replace(platform, libc_version=(2, 99))
    return min((each.glibc or 0 for each in releases if each.fits(any_glibc)), default=0)


def _pythons(releases: Sequence[Release]) -> str:
    versions = sorted({version for each in releases for version in each.pythons})
    if not versions:
        return "its wheels are for other versions of Python"
    (first, low), (last, high) = versions[0], versions[-1]
    span = f"{first}.{low}" if low == high else f"{first}.{low} to {last}.{high}"
    return f"its wheels are for Python {span}"


def _alternatives(
    failed: Unmet, platform: DevicePlatform, known: Listing, listing: Callable[[str], Listing]
) -> Sequence[str]:
    if not known.releases and not known.has_source:
        return ["check the spelling, and pip's index settings (`pip config list`)"]
    ways = [f"pin `{failed.name}=={version}`, the newest that fits" for version in known.fitting(platform)[-1:]]
    name, praise = _SUCCESSORS.get(failed.name, ("", ""))
    if name and (fitting := listing(name).fitting(platform)):
        ways.append(f"use `{name}=={fitting[-1]}`, {praise} (in the profile's `runtimes`, or --runtime)")
    if platform.is_32_bit_arm:
        ways.append(f"install the distribution's numpy (`sudo apt install python3-numpy`) and {_SYSTEM}")
    else:
        ways.append(_SYSTEM)
    return ways


def _sentence(ways: Sequence[str]) -> str:
    joined = ", or ".join(ways)
    return joined[:1].upper() + joined[1:] + "."


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
