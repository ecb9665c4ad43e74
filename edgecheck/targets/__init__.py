"""Ways to reach a device, a module each, which `edgecheck.core.address.TARGETS` names; imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from edgecheck.core.address import EMULATED, LOCAL, Address
from edgecheck.core.device import DeviceProfile
from edgecheck.targets.interface import Reuse, Target, Workload

__all__ = ["Reuse", "Target", "Workload", "nearest", "open_target"]


def nearest(profile: DeviceProfile) -> Address:
    """The address to use where none is given: an emulated machine where this host can run one, else this machine."""
    if profile.is_this_machine or not profile.emulation_cpu:
        return LOCAL
    from edgecheck.emulator import programs

    return EMULATED if programs.find(programs.QEMU) and programs.find(programs.MKE2FS) else LOCAL


def open_target(address: Address, profile: DeviceProfile) -> Target:
    """The target at `address`; nothing is started or connected yet.

    Raises:
        UsageError: `profile` lacks what the target needs.
    """
    return cast("Target", import_module(address.kind.module).open_target(address, profile))
