"""Which device a model without a budget is meant for, where only an address is given: the board says who it is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.core.address import Address, parse
from edgecheck.core.device import DeviceProfile
from edgecheck.core.text import clean
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.config import Profiles, Project
    from edgecheck.core.profile_draft import ProbedDevice

#: Share by which the RAM that a kernel reports may fall short of what a profile says: firmware and GPU keep some.
_KEPT_RAM = 0.25
#: Share by which it may exceed it.
_MORE_RAM = 0.05


def devices_of(
    targets: Sequence[str],
    project: Project,
    profiles: Profiles,
    model: Path,
    progress: Callable[[str], None],
) -> tuple[str, ...]:
    """The ids of the devices that targets name, or are; none where only this host knows which are meant.

    `model` is for the command that a message holds.

    Raises:
        UsageError: no profile has the board's identity.
        TargetError: the board cannot be reached.
    """
    named = [text.partition("=")[0] for text in targets if "=" in text.partition("://")[0]]
    saved = [text for text in targets if text in project.targets]
    if found := (*named, *saved):
        return tuple(dict.fromkeys(found))
    boards = [address for text in targets if (address := parse(text)).kind.has_host]
    return (_recognised(boards[0], profiles, model, progress),) if len(boards) == 1 else ()


def _recognised(address: Address, profiles: Profiles, model: Path, progress: Callable[[str], None]) -> str:
    from edgecheck.core.device import THIS_MACHINE
    from edgecheck.core.profile_draft import probed
    from edgecheck.targets.shell.cache import probe

    progress(f"asking {address.login} what it is")
    event: Mapping[str, Any] = probe(str(address), progress)
    found = (profiles.find(name).profile for name in profiles.ids() if name != THIS_MACHINE)
    known = [profile for profile in found if profile is not None]
    device = probed(event)
    same = identified(device, known)
    if same is not None:
        progress(f"{address.login} is a {clean(same.name)}: --device {same.id}")
        return same.id
    raise UsageError(
        f"{address.login} calls itself {called(device)}, and no profile here is of such a device.",
        f"Save its profile, and check with it:\n\n    edgecheck devices probe --save my-board {address}\n"
        f"    edgecheck check {shlex.quote(str(model))} --device my-board --target {address}\n\n"
        "Or name one of `edgecheck devices`: --device ID",
    )


def identified(device: ProbedDevice, known: Iterable[DeviceProfile]) -> DeviceProfile | None:
    """The profile of this very computer, or of the same board with the nearest RAM; None if neither matches.

    A core's number alone says too little: phones and boards share cores.
    """
    known = list(known)
    for profile in known:
        if device.machine_id and profile.identity.machine_id == device.machine_id:
            return profile
    same = [
        profile
        for profile in known
        if profile.identity.model
        and device.model.startswith(profile.identity.model)
        and -_KEPT_RAM <= device.ram_total / profile.ram.total - 1 <= _MORE_RAM
    ]
    longest = max((len(profile.identity.model) for profile in same), default=0)
    closest = [profile for profile in same if len(profile.identity.model) == longest]
    return min(closest, key=lambda profile: abs(profile.ram.total - device.ram_total), default=None)


def called(device: ProbedDevice) -> str:
    """The device's own name in a sentence."""
    name = device.model or device.processor or f"{device.machine or 'unknown'} machine"
    return f"{clean(name)!r} ({device.ram_total / 2**30:.1f} GiB of RAM)"
