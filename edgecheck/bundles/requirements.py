"""What a bundle asks pip for: the profile's pins, made canonical, and what edgecheck adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgecheck.bundles.bundle import Wheel
    from edgecheck.bundles.device_platform import DevicePlatform

#: Samples memory in the agent, which can do without it.
PSUTIL = "psutil"

_NUMPY_2 = 2

#: Releases that were compiled for numpy 1 and do not say so: under numpy 2 some import, and all fail once used.
_FOR_NUMPY_1: Mapping[str, SpecifierSet] = MappingProxyType(
    {
        "tflite-runtime": SpecifierSet(">=0"),
        "onnxruntime": SpecifierSet("<1.19"),
        "ai-edge-litert": SpecifierSet("<1.1.1"),
    }
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask pip for."""

    requirements: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    """Names that may be missing where no wheel fits."""
    notes: tuple[str, ...] = ()

    def without(self, name: str, note: str) -> Wanted:
        """The same, less an optional requirement."""
        kept = tuple(text for text in self.requirements if name_of(text) != name)
        return Wanted(kept, self.optional - {name}, (*self.notes, note))

    def with_(self, requirements: Iterable[str], notes: Iterable[str]) -> Wanted:
        """The same, and more."""
        every = dict.fromkeys((*self.requirements, *requirements))
        return Wanted(tuple(every), self.optional, tuple(dict.fromkeys((*self.notes, *notes))))


def wanted(requirements: Sequence[str], platform: DevicePlatform) -> Wanted:
    """The canonical form of a profile's requirements: sorted, without those whose marker does not hold there.

    Raises:
        BundleError: one of them is no requirement.
    """
    parsed = [_parse(text) for text in requirements]
    holding = [each for each in parsed if each.marker is None or each.marker.evaluate(dict(platform.markers))]
    texts = sorted({_canonical(each) for each in holding})
    names = {name_of(text) for text in texts}
    optional = frozenset({PSUTIL} - names)
    asked = Wanted((*texts, *sorted(optional)), optional)
    certain = [name for name, releases in _FOR_NUMPY_1.items() if name in names and releases == SpecifierSet(">=0")]
    return capped(asked, certain)


def capped(asked: Wanted, runtimes: Iterable[str]) -> Wanted:
    """`asked` with `numpy<2` for each of `runtimes`, which are names or pins."""
    for runtime in runtimes:
        note = f"numpy<2 was added: {runtime} was compiled for numpy 1 and fails under numpy 2."
        asked = asked.with_(["numpy<2"], [] if "numpy<2" in asked.requirements else [note])
    return asked


def broken_by_numpy_2(wheels: Iterable[Wheel]) -> list[str]:
    """Pins of the runtimes among `wheels` that need numpy 1 and got numpy 2."""
    versions = {wheel.name: Version(wheel.version) for wheel in wheels}
    if versions.get("numpy", Version("1")).major < _NUMPY_2:
        return []
    return [
        f"{name}=={versions[name]}"
        for name, releases in _FOR_NUMPY_1.items()
        if name in versions and releases.contains(versions[name], prereleases=True)
    ]


def name_of(requirement: str) -> str:
    """The canonical name of what a requirement asks for."""
    return canonicalize_name(_parse(requirement).name)


def extras_of(requirement: str) -> frozenset[str]:
    """The extras that a requirement names."""
    return frozenset(_parse(requirement).extras)


def _canonical(requirement: Requirement) -> str:
    requirement.marker = None  # it holds
    text = str(requirement)
    return text.replace(requirement.name, canonicalize_name(requirement.name), 1)


def _parse(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise BundleError(
            f"{text!r} is no requirement that pip understands.", "Write it like `tflite-runtime==2.14.0`."
        ) from error
