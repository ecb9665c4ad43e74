"""What a bundle requires of pip: the profile's pins in canonical form, and what edgecheck adds to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from edgecheck.bundles.bundle import Wheel
from edgecheck.bundles.device_platform import DevicePlatform
from edgecheck.errors import BundleError

#: The agent samples memory with it, and can do without.
PSUTIL = "psutil"

_NUMPY_2 = 2

#: Releases that were compiled for numpy 1 and do not declare it: under numpy 2 some import, and all fail once used.
_FOR_NUMPY_1: Mapping[str, SpecifierSet] = MappingProxyType(
    {
        "tflite-runtime": SpecifierSet(">=0"),
        "onnxruntime": SpecifierSet("<1.19"),
        "ai-edge-litert": SpecifierSet("<1.1.1"),
    }
)


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements that pip resolves together."""

    lines: tuple[str, ...]
    """As pip takes them: `tflite-runtime==2.14.0`."""
    optional: frozenset[str] = frozenset()
    """Names that may be missing where no wheel fits."""
    notes: tuple[str, ...] = ()
    """What edgecheck changed, a sentence each."""

    def without(self, name: str, note: str) -> Requirements:
        """These without the optional requirement `name`."""
        lines = tuple(text for text in self.lines if name_of(text) != name)
        return Requirements(lines, self.optional - {name}, (*self.notes, note))

    def with_(self, lines: Iterable[str], notes: Iterable[str] = ()) -> Requirements:
        """These and `lines`."""
        every = dict.fromkeys((*self.lines, *lines))
        return Requirements(tuple(every), self.optional, tuple(dict.fromkeys((*self.notes, *notes))))

    def with_numpy_1(self, runtimes: Iterable[str]) -> Requirements:
        """These with `numpy<2` if there are `runtimes` (names or pins) that need it."""
        capped = self
        for runtime in runtimes:
            note = f"numpy<2 was added: {runtime} was compiled for numpy 1 and fails under numpy 2."
            capped = capped.with_(["numpy<2"], [] if "numpy<2" in capped.lines else [note])
        return capped


def requirements_for(texts: Sequence[str], platform: DevicePlatform) -> Requirements:
    """A profile's requirements in canonical form, sorted, without those whose marker is false for `platform`.

    Raises:
        BundleError: one of them cannot be parsed.
    """
    parsed = [_parse(text) for text in texts]
    holding = [each for each in parsed if each.marker is None or each.marker.evaluate(dict(platform.markers))]
    lines = sorted({_canonical(each) for each in holding})
    names = {name_of(text) for text in lines}
    optional = frozenset({PSUTIL} - names)
    certain = [name for name, releases in _FOR_NUMPY_1.items() if name in names and releases == SpecifierSet(">=0")]
    return Requirements((*lines, *sorted(optional)), optional).with_numpy_1(certain)


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
    """The canonical name of the distribution that a requirement is for."""
    return canonicalize_name(_parse(requirement).name)


def extras_of(requirement: str) -> frozenset[str]:
    """The extras that a requirement names."""
    return frozenset(_parse(requirement).extras)


def _canonical(requirement: Requirement) -> str:
    requirement.marker = None  # it is true
    text = str(requirement)
    return text.replace(requirement.name, canonicalize_name(requirement.name), 1)


def _parse(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise BundleError(
            f"{text!r} is not a requirement that pip understands.", "Write it like `tflite-runtime==2.14.0`."
        ) from error
