"""One wire each to a device; a table from an address to the module that speaks it, imported when it is used."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from edgecheck.errors import UsageError
from edgecheck.targets.interface import Target, Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.core.device import DeviceProfile

__all__ = ["SCHEMES", "Target", "Workload", "nearest", "open_target"]

#: Address scheme -> module with `open_target(address, profile) -> Target`.
SCHEMES: Mapping[str, str] = MappingProxyType(
    {"local": "edgecheck.targets.local", "qemu": "edgecheck.targets.qemu", "ssh": "edgecheck.targets.ssh"}
)

#: How addresses are written, for a person.
WRITTEN = "A target is written local, qemu, or ssh://user@host (as for ssh, with :port where it takes one)."


def nearest(profile: DeviceProfile) -> str:
    """The address to use where none is given: an emulated machine where this host can run one, else this machine."""
    if profile.is_this_machine or not profile.emulation_cpu:
        return "local"
    from edgecheck.emulator import programs

    return "qemu" if programs.find(programs.QEMU) and programs.find(programs.MKE2FS) else "local"


def open_target(address: str, profile: DeviceProfile) -> Target:
    """The target at `address`; nothing is started or connected yet.

    Raises:
        UsageError: no target speaks such an address.
    """
    scheme = address.partition("://")[0]
    if scheme not in SCHEMES:
        raise UsageError(f"No target is called {address!r}.", WRITTEN)
    return cast("Target", import_module(SCHEMES[scheme]).open_target(address, profile))
