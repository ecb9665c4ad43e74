"""A runtime bundle: an archive, its wheels, what was left out of it, and all of that as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecheck.bundles.device_platform import DevicePlatform


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One wheel of a bundle."""

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Bytes that pip would install and that no inference opens."""

    what: str
    """A short phrase for a person: `tests`, `type stubs`, `sympy`."""
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A runtime for one kind of device, packed.

    Unpacked, it is a folder to put on `sys.path`.
    """

    path: Path
    """The archive, a gzipped tar in the cache."""
    digest: str
    """sha256 of the tar inside, which is the same on every host whatever its zlib makes of it: the bundle's name."""
    sha256: str
    """sha256 of the archive file."""
    size: int
    """Bytes of the archive, which are sent to a device."""
    unpacked_size: int
    """Bytes of its files: what `footprint` adds to the artifact's (provenance static). Byte code that Python
    compiles on the device and slack in the device's file system come on top."""
    requirements: tuple[str, ...]
    """The profile's requirements, and those that edgecheck added."""
    platform: DevicePlatform
    wheels: tuple[Wheel, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    """What edgecheck changed without being asked to, a sentence each."""

    @property
    def pins(self) -> tuple[str, ...]:
        """Requirements that resolve to exactly these wheels, for a profile that must not change."""
        return tuple(f"{wheel.name}=={wheel.version}" for wheel in self.wheels)

    def facts(self) -> dict[str, Any]:
        """Everything but the archive's folder, as JSON values; see `bundle_from`."""
        return {**asdict(self), "path": self.path.name}


def bundle_from(facts: Mapping[str, Any], folder: Path) -> Bundle:
    """The bundle that `Bundle.facts` describes, with its archive in `folder`."""
    platform = facts["platform"]
    return Bundle(
        path=folder / facts["path"],
        digest=facts["digest"],
        sha256=facts["sha256"],
        size=facts["size"],
        unpacked_size=facts["unpacked_size"],
        requirements=tuple(facts["requirements"]),
        platform=DevicePlatform(**{**platform, "libc_version": tuple(platform["libc_version"])}),
        wheels=tuple(Wheel(**row) for row in facts["wheels"]),
        left_out=tuple(LeftOut(**row) for row in facts["left_out"]),
        notes=tuple(facts["notes"]),
    )
