"""From requirements to the wheels that a device needs, by pip on the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from edgecheck.bundles import diagnosis
from edgecheck.bundles.archive import WheelFile, open_wheel
from edgecheck.bundles.contents import UNUSED_DEPENDENCIES
from edgecheck.bundles.device_platform import DevicePlatform
from edgecheck.bundles.diagnosis import Listing, read_listing
from edgecheck.bundles.pip_process import Pip
from edgecheck.bundles.requirements import Requirements, broken_by_numpy_2, extras_of, name_of
from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

#: Runs of pip: with the requirements as they are, without an optional package, with a cap on numpy, and one to spare.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Resolved:
    """The wheels of a bundle."""

    required: Requirements
    """With what was added on the way."""
    wheels: tuple[WheelFile, ...]
    unused: tuple[WheelFile, ...]
    """What pip downloaded and no inference imports."""


def resolve(required: Requirements, platform: DevicePlatform, pip: Pip, folder: Path) -> Resolved:
    """Download the wheels for `required` into `folder`.

    Raises:
        BundleError: no wheels fit (the hint says which would), or pip failed.
    """
    for attempt in range(_ROUNDS):
        if not required.lines:  # only psutil was required, and it has no wheel
            return Resolved(required, (), ())
        into = folder / str(attempt)
        finished = pip.run(*_download(platform), "--dest", str(into), *required.lines)
        if not finished.succeeded:
            required = _without_optional(required, platform, pip, finished.output)
            continue
        wheels = [open_wheel(path) for path in sorted(into.iterdir())]
        further = _further(required, wheels, platform)
        if further == required:
            needed = _needed(required, wheels, platform)
            kept = tuple(each for each in wheels if each.wheel.name in needed)
            return Resolved(required, kept, tuple(each for each in wheels if each not in kept))
        required = further
    raise BundleError(
        f"pip's answers for {', '.join(required.lines)} do not settle.", "Pin the runtime and numpy in the profile."
    )


def _download(platform: DevicePlatform) -> tuple[str, ...]:
    major, minor = platform.version
    return (
        *("download", "--only-binary=:all:", "--implementation", "cp"),
        *("--python-version", f"{major}.{minor}", "--abi", platform.abi),
        *(argument for tag in platform.platform_tags for argument in ("--platform", tag)),
    )


def _without_optional(required: Requirements, platform: DevicePlatform, pip: Pip, output: str) -> Requirements:
    failed = diagnosis.unmet(output)
    if failed is None:
        raise diagnosis.other_failure(output, required)
    if failed.name in required.optional:
        note = f"{failed.name} has no wheel for {platform}: the agent reads /proc itself."
        return required.without(failed.name, note)

    def listing(name: str) -> Listing:
        log = pip.run(*_download(platform), "-vv", "--no-deps", f"{name}<0").output  # no release is below 0
        return read_listing(name, log)

    failed = diagnosis.runtime_without_wheels(failed, required.lines, platform, listing)
    raise diagnosis.explain(failed, platform, listing)


def _further(required: Requirements, wheels: Sequence[WheelFile], platform: DevicePlatform) -> Requirements:
    """With what pip did not see: a runtime that fails under numpy 2, a marker that is true on the device only."""
    required = required.with_numpy_1(broken_by_numpy_2(each.wheel for each in wheels))
    versions = {each.wheel.name: Version(each.wheel.version) for each in wheels}
    missing = [
        f"{need.name}{need.specifier}"
        for each in wheels
        for need in _needs(each, platform)
        if canonicalize_name(need.name) not in versions
    ]
    return required.with_(sorted(missing))


def _needed(required: Requirements, wheels: Sequence[WheelFile], platform: DevicePlatform) -> frozenset[str]:
    """Names of the distributions that an inference can import: reachable, and not only by a runtime's tools."""
    by_name = {each.wheel.name: each for each in wheels}
    reached: set[tuple[str, frozenset[str]]] = set()
    ahead = [(name_of(text), extras_of(text)) for text in required.lines]
    while ahead:
        name, extras = reaching = ahead.pop()
        if reaching in reached or name not in by_name:
            continue
        reached.add(reaching)
        unused = UNUSED_DEPENDENCIES.get(name, ())
        needs = _needs(by_name[name], platform, extras)
        ahead += [
            (canonicalize_name(need.name), frozenset(need.extras))
            for need in needs
            if canonicalize_name(need.name) not in unused
        ]
    return frozenset(name for name, _ in reached)


def _needs(wheel: WheelFile, platform: DevicePlatform, extras: Iterable[str] = ()) -> list[Requirement]:
    environments = [{**platform.markers, "extra": extra} for extra in ("", *extras)]
    return [
        need
        for need in wheel.dependencies
        if need.marker is None or any(need.marker.evaluate(environment) for environment in environments)
    ]
