"""What to check: the budgets named, found or made from a model on the command line."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.formats import identify
from edgecheck.checks.perform import Addresses
from edgecheck.config import Profiles, limits_from_texts, load_budgets
from edgecheck.converters.interface import AS_IS, READY, TRUST_ALL
from edgecheck.core.address import Address, parse
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.limits import OnUnknown, combined
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.checks.perform import Check
    from edgecheck.config import Project
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.limits import Limit

_YAML = (".yaml", ".yml")

#: `--variant` for the choice among all variants.
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line says of it."""

    paths: tuple[Path, ...]
    devices: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    profiles: tuple[Path, ...] = ()
    on_unknown: str | None = None
    trust: bool = False
    """Whether code in model files and factories may run."""
    variants: tuple[str, ...] = ()
    """For models without a budget; `auto` stands for the choice among all."""
    samples: Path | None = None
    """Real inputs for a model without a budget."""


def select(asked: Selection, project: Project) -> tuple[Budget, ...]:
    """The budgets to check.

    Raises:
        UsageError: nothing is found, or the options do not go together.
        ConfigError: the budgets or profiles have problems.
    """
    profiles = Profiles((*asked.profiles, *project.profiles))
    paths = asked.paths or project.budgets
    if not paths:
        raise UsageError(
            "There is nothing to check: no budget or model is named, and there is no folder ./budgets.",
            "Name one: edgecheck check model.tflite --limit ram_peak=80MiB",
        )
    models = [path for path in paths if _is_model(path)]
    if asked.limits and len(models) < len(paths):
        raise UsageError("--limit goes with a model, not with a budget.", "Write the limit into the budget file.")
    if asked.samples and len(models) < len(paths):
        raise UsageError("--samples goes with a model, not with a budget.", "Write `samples:` into the budget file.")
    if AUTO in asked.variants and len(asked.variants) > 1:
        raise UsageError("--variant auto chooses among all variants: it goes with no other.", "Leave the others out.")
    files = [path for path in paths if path not in models]
    budgets = load_budgets(files, profiles=profiles) if files else ()
    budgets = tuple(_only(budget, asked.devices) for budget in budgets)
    made = tuple(_from_model(path, asked, profiles) for path in models)
    chosen = (_with_on_unknown(budget, asked.on_unknown) for budget in (*budgets, *made) if budget.devices)
    return tuple(_trusted(budget) if asked.trust else budget for budget in chosen)


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return not any(entry.suffix in _YAML for entry in path.iterdir())
    return path.suffix not in _YAML


def _from_model(path: Path, asked: Selection, profiles: Profiles) -> Budget:
    given = limits_from_texts(asked.limits)
    devices = tuple(profiles.get(name) for name in asked.devices or (THIS_MACHINE,))
    return Budget(
        name=path.name,
        path="",
        model=Model(path),
        variants=() if AUTO in asked.variants else tuple(map(Variant, asked.variants or (_usual_variant(path),))),
        format="",
        samples=asked.samples,
        inputs={},
        threads=1,
        effort=Effort(),
        devices=tuple((profile, combined([_limits_of(profile), given])) for profile in devices),
    )


def _usual_variant(path: Path) -> str:
    """What a device can open stays as it is; anything else is converted as it was trained."""
    return AS_IS if identify(path).value in READY else "float32"


def _limits_of(profile: DeviceProfile) -> dict[str, Limit]:
    return {limit.metric.name: limit for limit in profile.limits}


def _only(budget: Budget, devices: tuple[str, ...]) -> Budget:
    if not devices:
        return budget
    known = {profile.id for profile, _ in budget.devices}
    if missing := [name for name in devices if name not in known]:
        raise UsageError(f"{budget.path} has no device {missing[0]!r}.", f"It has: {', '.join(sorted(known))}.")
    return replace(budget, devices=tuple(entry for entry in budget.devices if entry[0].id in devices))


def _trusted(budget: Budget) -> Budget:
    return replace(budget, model=replace(budget.model, trusted=TRUST_ALL))


def _with_on_unknown(budget: Budget, on_unknown: str | None) -> Budget:
    if on_unknown is None:
        return budget
    rule = OnUnknown(on_unknown)
    return replace(
        budget,
        devices=tuple(
            (profile, tuple(replace(limit, on_unknown=rule) for limit in limits)) for profile, limits in budget.devices
        ),
    )


# RF-SECTION targets: `--target` and the project's addresses, as one table.


def addresses(texts: Sequence[str], project: Project, budgets: Sequence[Budget]) -> Addresses:
    """Where each device of `budgets` is.

    Raises:
        UsageError: an address that no target speaks, a device that no budget has, or one board for several devices.
    """
    named: dict[str, Address] = {}
    devices = {profile.id for budget in budgets for profile, _ in budget.devices}
    for text in texts:
        parts = _NAMED.fullmatch(text)
        device, address = (parts[1], parse(parts[2])) if parts else ("", parse(text))
        if device and device not in devices:
            raise UsageError(
                f"--target {text}: no budget here has the device {device!r}.",
                f"They have: {', '.join(sorted(devices))}.",
            )
        if named.setdefault(device, address) != address:
            which = device or "every device"
            raise UsageError(f"{which} is at {named[device]} and at {address}.", "Give --target once for each device.")
    default = named.pop("", None)
    others = devices - set(named)
    if default is not None and default.kind.has_host and len(others) > 1:
        raise UsageError(
            f"--target {default} is one board, and the budgets have {len(others)} devices.",
            f"Say which it is: --target {min(others)}={default}",
        )
    return Addresses(named if default else {**project.targets, **named}, default)


#: `DEVICE=ADDRESS`; an address may hold an equals sign of its own behind its scheme.
_NAMED = re.compile(r"([\w.+-]+)=(.*)")


# RF-SECTION shard: `--shard 2/4`: a part of the checks, the same part on every machine.


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts."""

    number: int
    """From 1 on."""
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, checks: Sequence[Check]) -> tuple[Check, ...]:
        """The checks that are this part's, in their order; parts differ by one check at most.

        Neither the order in which budgets were named nor the folder that they lie in on this machine counts. Checks
        are dealt out by a hash, so that a slow device, which comes up at every so many checks, is not all one part's.
        """
        dealt = sorted(range(len(checks)), key=lambda at: (_place(checks[at]), at))
        mine = set(dealt[self.number - 1 :: self.count])
        return tuple(check for at, check in enumerate(checks) if at in mine)


def _place(check: Check) -> bytes:
    budget = check.budget
    paths = (os.path.relpath(path) if path else "" for path in (budget.path, budget.model.path))
    identity = (*(Path(path).as_posix() for path in paths), str(check.variant), check.profile.id)
    return hashlib.sha256("\0".join(identity).encode("utf-8", "surrogateescape")).digest()
