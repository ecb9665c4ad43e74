"""Which devices a command line means: by id, by pattern, by class, or all that are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from edgecheck.config import Profiles
from edgecheck.core.budget import Budget
from edgecheck.core.device import THIS_MACHINE, DeviceProfile
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
