"""The lock file: which packages the machine's system consists of, with their versions and digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from edgecheck.errors import EmulatorError

#: The lock file in this package; `tools/lock_guest.py` writes it.
FILE = "guest/packages.lock.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One binary package of the guest."""

    name: str
    version: str
    archive: str
    """`debian` or `debian-security`: what a mirror calls the folder that has it."""
    path: str
    """Below that folder: `pool/main/…`."""
    bytes: int
    sha256: str
    follows: str = ""
    """A package that depends on this one's newest successor, whose name may differ, as a kernel's does."""

    @property
    def file(self) -> str:
        """The name of its file."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All packages of the guest."""

    release: str
    """Debian's code name: `bookworm`."""
    architecture: str
    python: str
    """The version of its Python: `3.11`."""
    time: str
    """When the packages were the newest, as the archive of snapshots writes it: `20261129T000000Z`."""
    packages: tuple[Package, ...]

    @property
    def content(self) -> str:
        """A digest of what the packages are, in hexadecimal; not of where or when they were found."""
        lines = sorted(f"{package.name} {package.version} {package.sha256}" for package in self.packages)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def text(self) -> str:
        """The lock file."""
        plain = asdict(self)
        plain["packages"] = [{key: value for key, value in each.items() if value} for each in plain["packages"]]
        return json.dumps(plain, indent=1) + "\n"


def parse(text: str) -> Lock:
    """The lock in a lock file's text.

    Raises:
        EmulatorError: it is not a lock file.
    """
    try:
        plain: dict[str, Any] = json.loads(text)
        packages = tuple(_package(each) for each in plain.pop("packages"))
        return Lock(packages=packages, **plain)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EmulatorError(
            f"The lock file of the emulated machine cannot be read: {error}.",
            "Install edgecheck again, or write the file again: python tools/lock_guest.py",
        ) from error


def _package(plain: Mapping[str, Any]) -> Package:
    package = Package(**plain)
    if len(package.sha256) != hashlib.sha256().digest_size * 2 or ".." in package.path or not package.file:
        raise ValueError(f"the entry of {package.name!r} has no usable path and sha256")
    return package


def own() -> Lock:
    """The lock that edgecheck comes with."""
    return parse(resources.files("edgecheck.emulator").joinpath(FILE).read_text(encoding="utf-8"))
