"""Which devices a command line means: by id, by pattern, by class, all that are known, or the board at an address."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.config import Profiles
from edgecheck.core.address import Address, parse
from edgecheck.core.budget import Budget
from edgecheck.core.device import THIS_MACHINE, DeviceProfile
from edgecheck.core.text import clean
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.config import Project
    from edgecheck.core.profile_draft import ProbedDevice

#: Stands for every device.
ALL = "all"

_HINT = "`edgecheck devices` lists them."


@dataclass(frozen=True, slots=True)
class WhichDevices:
    """The devices that were asked for."""

    names: tuple[str, ...] = ()
    """Ids, patterns such as `raspberry-pi-*`, or `all`; empty: those of the class, or the default."""
    kinds: tuple[str, ...] = ()
    """Classes such as `phone`; empty: every class."""

    @property
    def are_open(self) -> bool:
        """Whether the question is which of several devices, instead of a device that is named."""
        return bool(self.kinds) or any(map(_is_pattern, self.names))

    def known(self, profiles: Profiles) -> tuple[str, ...]:
        """For a model without a budget: the ids of the devices, in the order of the names; this machine only if named.

        Raises:
            UsageError: a pattern or a class has no device.
            ConfigError: a profile has problems.
        """
        if not self.are_open:
            return self.names
        every = [name for name in profiles.ids() if name != THIS_MACHINE]
        found = [
            each for name in self.names or (ALL,) for each in (_matching(name, every) if _is_pattern(name) else [name])
        ]
        of_kind = [name for name in dict.fromkeys(found) if not self.kinds or profiles.get(name).kind in self.kinds]
        if not of_kind:
            raise _none(self, every)
        return tuple(of_kind)

    def of(self, budgets: Sequence[Budget]) -> list[Budget]:
        """The budgets for these devices only; without those that have none of them, if a pattern leaves them out.

        Raises:
            UsageError: a budget lacks a device that is named, or no budget has any of the devices.
        """
        if not self.names and not self.kinds:
            return list(budgets)
        found = [self._of_budget(budget) for budget in budgets]
        left = [budget for budget in found if budget.devices]
        if budgets and not left:
            raise _none(self, sorted({profile.id for budget in budgets for profile, _ in budget.devices}))
        return left

    def _of_budget(self, budget: Budget) -> Budget:
        known = {profile.id for profile, _ in budget.devices}
        plain = [name for name in self.names if not _is_pattern(name)]
        if missing := [name for name in plain if name not in known]:
            raise UsageError(f"{budget.path} has no device {missing[0]!r}.", f"It has: {', '.join(sorted(known))}.")
        return replace(budget, devices=tuple(entry for entry in budget.devices if self._takes(entry[0])))

    def _takes(self, profile: DeviceProfile) -> bool:
        is_named = not self.names or any(_matching(name, [profile.id]) for name in self.names)
        return is_named and (not self.kinds or profile.kind in self.kinds)


def _is_pattern(name: str) -> bool:
    return name == ALL or any(character in name for character in "*?[")


def _matching(name: str, ids: Iterable[str]) -> list[str]:
    """Those of the ids that a pattern stands for."""
    return [each for each in ids if name in (ALL, each) or fnmatchcase(each, name)]


def _none(which: WhichDevices, ids: Sequence[str]) -> UsageError:
    names = ", ".join(which.names)
    kinds = f" of class {' or '.join(which.kinds)}" if which.kinds else ""
    asked = f" matches {names!r}" if which.names else " is"
    here = f"There are: {', '.join(ids[:8])}{', …' if len(ids) > 8 else ''}. " if ids else ""  # noqa: PLR2004 - enough to see how ids look
    return UsageError(f"No device{asked}{kinds}.", f"{here}{_HINT}")


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
