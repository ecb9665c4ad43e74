"""The Python, machine and libc of a device, and every wheel tag that pip may install there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from packaging import tags

from edgecheck.bundles import probe
from edgecheck.errors import BundleError

#: What wheels call a machine that `uname -m` names differently.
_MACHINES = {"arm64": "aarch64", "amd64": "x86_64", "armv8l": "armv7l", "i386": "i686", "i586": "i686"}

#: The oldest Python that the agent supports.
_OLDEST_MINOR = 6

#: bpo-36707: Python 3.8 dropped the letter for pymalloc from its ABI tag.
_LAST_WITH_M = 7

_NARROW_BITS = 32

#: What a 32-bit Python runs as on a 64-bit kernel, as on Raspberry Pi OS (32-bit).
_NARROW = {"aarch64": "armv7l", "x86_64": "i686"}

#: The names that glibc tags had before PEP 600, by the minor version of glibc.
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

#: Machines that no manylinux policy covers: only plain `linux_` wheels exist.
_WITHOUT_POLICY = frozenset({"armv6l"})


@dataclass(frozen=True, slots=True)
class DevicePlatform:
    """What decides which wheels a device can run.

    Raises:
        BundleError: edgecheck's agent cannot run on that Python, or a field is malformed.
    """

    python: str
    """Major and minor version, `3.11`; a free-threaded build is `3.13t`."""
    machine: str
    """As wheels name it: `aarch64`, `armv7l`, `x86_64`."""
    libc: Literal["glibc", "musl"] = "glibc"
    libc_version: tuple[int, int] = (2, 36)

    def __post_init__(self) -> None:
        match = re.fullmatch(r"3\.(\d{1,2})t?", self.python)
        if match is None or int(match[1]) < _OLDEST_MINOR:
            raise BundleError(
                f"The device's Python is {self.python}; edgecheck's agent needs Python 3.6 or newer.",
                "Install a newer Python 3 next to it, or choose another device.",
            )
        if not re.fullmatch(r"[a-z0-9_]+", self.machine):
            raise BundleError(f"{self.machine!r} is not the name of a machine.", "It is what `uname -m` prints there.")

    def __str__(self) -> str:
        """For messages: `Python 3.11, aarch64, glibc 2.36`."""
        major, minor = self.libc_version
        return f"Python {self.python}, {self.machine}, {self.libc} {major}.{minor}"

    @property
    def version(self) -> tuple[int, int]:
        """Python's major and minor version as numbers."""
        major, minor = self.python.rstrip("t").split(".")
        return int(major), int(minor)

    @property
    def abi(self) -> str:
        """The tag of Python's binary interface: `cp311`, `cp37m`, `cp313t`."""
        major, minor = self.version
        with_pymalloc = "m" if minor <= _LAST_WITH_M else ""
        return f"cp{major}{minor}{with_pymalloc}{'t' if self.python.endswith('t') else ''}"

    @property
    def platform_tags(self) -> tuple[str, ...]:
        """Every platform tag that fits the device, the most demanding first: pip matches tags exactly."""
        return (*self._libc_tags(), f"linux_{self.machine}")

    def _libc_tags(self) -> Iterator[str]:
        if self.machine in _WITHOUT_POLICY:
            return
        major, newest = self.libc_version
        if self.libc == "musl":
            yield from (f"musllinux_{major}_{minor}_{self.machine}" for minor in range(newest, -1, -1))
            return
        oldest = 5 if self.machine in {"x86_64", "i686"} else 17  # PEP 600: where each machine's policies begin
        for minor in range(newest, oldest - 1, -1):
            yield f"manylinux_{major}_{minor}_{self.machine}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{self.machine}"

    @property
    def wheel_tags(self) -> frozenset[tags.Tag]:
        """Every complete tag (Python, ABI, platform) that fits the device."""
        return _wheel_tags(self)

    @property
    def markers(self) -> dict[str, str]:
        """The environment that a requirement's marker is evaluated in (PEP 508)."""
        major, minor = self.version
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{major}.{minor}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{major}.{minor}.0",
            "python_version": f"{major}.{minor}",
            "sys_platform": "linux",
        }

    @property
    def is_32_bit_arm(self) -> bool:
        """Whether this is 32-bit Arm, for which few packages have wheels."""
        return self.machine in {"armv7l", "armv6l"}


@cache  # an index lists thousands of wheels, each of which is compared with these
def _wheel_tags(platform: DevicePlatform) -> frozenset[tags.Tag]:
    major, minor = platform.version
    native = tags.cpython_tags(platform.version, abis=[platform.abi], platforms=platform.platform_tags)
    pure = tags.compatible_tags(platform.version, interpreter=f"cp{major}{minor}", platforms=platform.platform_tags)
    return frozenset((*native, *pure))


def host_platform() -> DevicePlatform:
    """The platform of the Python that runs edgecheck.

    Raises:
        BundleError: as `platform_of`.
    """
    return platform_of(probe.facts())


def platform_of(facts: Mapping[str, object]) -> DevicePlatform:
    """The platform of the device where `probe.py` found `facts`.

    Raises:
        BundleError: no bundle can be made for the device: it is not Linux, not CPython, or has an unknown libc.
    """
    hint = "Use a runtime that is installed there (`bundle: system` in a budget, --bundle system)."
    if facts.get("system") != "Linux":
        raise BundleError(f"Runtime bundles are for Linux, and the device runs {facts.get('system')}.", hint)
    if facts.get("implementation") != "CPython":
        raise BundleError(f"Runtime bundles are for CPython, not {facts.get('implementation')}.", hint)
    version = re.fullmatch(r"(\d+)\.(\d+).*", str(facts.get("libc_version")))
    match facts.get("libc"), version:
        case "glibc" | "musl" as libc, re.Match() as found:
            numbers = int(found[1]), int(found[2])
            return DevicePlatform(str(facts.get("python")), _machine(facts), libc, numbers)
        case _:
            raise BundleError("The device's C library is neither glibc nor musl.", hint)


def _machine(facts: Mapping[str, object]) -> str:
    named = str(facts.get("machine")).lower()
    machine = _MACHINES.get(named, named)
    return _NARROW.get(machine, machine) if facts.get("bits") == _NARROW_BITS else machine
