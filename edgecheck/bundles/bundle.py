"""What a runtime bundle is: one archive, what it holds, and what was left out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.bundles.device_platform import DevicePlatform


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Bundle:
    """A runtime for one kind of device, packed.

    Unpacked, it is a folder to put on `sys.path`.
    """

    path: Path
    """The archive, a gzipped tar in the cache."""
    digest: str
    """sha256 of the tar inside, so the same on every host whatever its zlib makes of it: the bundle's name."""
    sha256: str
    """sha256 of the archive file."""
    size: int
    """Bytes of the archive: what goes over the wire."""
    unpacked_size: int
    """Bytes of its files: what `footprint` adds to the artifact's (provenance static). Byte code that Python
    compiles on the device and slack in the device's file system come on top."""
    requirements: tuple[str, ...]
    """What was asked for, and what edgecheck added to it."""
    platform: DevicePlatform
    wheels: tuple[Wheel, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    """What edgecheck did of its own accord, a sentence each."""

    @property
    def pins(self) -> tuple[str, ...]:
        """Requirements that give exactly these wheels again, for a profile that wants no surprises."""
        return tuple(f"{wheel.name}=={wheel.version}" for wheel in self.wheels)
