"""What to check: from command-line options and budget files to the checks to do, each with its target."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgecheck.anatomy.encodings.span import Missing
from edgecheck.anatomy.formats import identify, is_model_folder
from edgecheck.checks.boards import ONE, Boards, ensure_boards
from edgecheck.checks.check import Check, request_of
from edgecheck.checks.from_model import IN_A_BUDGET, ModelSettings, usual_variant
from edgecheck.checks.which_devices import WhichDevices, devices_of
from edgecheck.config import Profiles, Project, limits_from_texts, load_budgets, load_project
from edgecheck.config.files import budgets_below, shown_path
from edgecheck.converters import model_files
from edgecheck.converters.interface import AS_IS, TRUST_ALL
from edgecheck.core.address import Address, distinct_boards
from edgecheck.core.budget import Budget, Variant
from edgecheck.core.device import THIS_MACHINE, DeviceProfile
from edgecheck.core.limits import Limit, OnUnknown, combined
from edgecheck.errors import ModelError, UsageError
from edgecheck.targets import nearest

#: The variant that stands for the choice among all variants.
AUTO = "auto"

_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the command line selects, before any file is read."""

    paths: tuple[Path, ...]
    devices: tuple[str, ...] = ()
    """Ids, patterns such as `raspberry-pi-*`, or `all`."""
    classes: tuple[str, ...] = ()
    """Only devices of these classes, such as `phone`."""
    limits: tuple[str, ...] = ()
    profiles: tuple[Path, ...] = ()
    on_unknown: str | None = None
    trust: bool = False
    """Whether code in model files and factories may run."""
    variants: tuple[str, ...] = ()
    """For models without a budget; `auto` chooses among all."""
    pin: bool = False
    """Whether to hold the clock and the cores of devices meanwhile."""
    given: ModelSettings = field(default_factory=ModelSettings)
    """For models without a budget: inputs, samples, factory, runtime and threads."""

    @property
    def which(self) -> WhichDevices:
        """The devices that are asked for."""
        return WhichDevices(self.devices, self.classes)


def _silent(_words: str) -> None:
    """Report no progress."""


def select(
    selection: Selection, project: Project, targets: Sequence[str] = (), progress: Callable[[str], None] = _silent
) -> tuple[Budget, ...]:
    """The budgets to check.

    Args:
        selection: What to select.
        project: Where budgets and profiles are.
        targets: `ADDRESS` or `DEVICE=ADDRESS`: for models without a budget and a device, the device is asked for.
        progress: Called with a few words about what is asked.

    Raises:
        UsageError: nothing is found, or the options do not go together.
        ConfigError: the budgets or profiles have problems.
        TargetError: the device cannot be asked.
    """
    profiles = Profiles(selection.profiles, project.profiles)
    paths = selection.paths or project.budgets
    if not paths:
        raise UsageError(
            "There is nothing to check: no budget or model is named, and there is no folder ./budgets.",
            "Name one: edgecheck check model.tflite --limit ram_peak=80MiB",
        )
    models = [path for path in paths if _is_model(path)]
    if selection.limits and len(models) < len(paths):
        raise UsageError("--limit goes with a model, not with a budget.", "Write the limit into the budget file.")
    if (option := selection.given.named()) and len(models) < len(paths):
        raise UsageError(f"{option} goes with a model, not with a budget.", IN_A_BUDGET[option])
    if AUTO in selection.variants and len(selection.variants) > 1:
        raise UsageError(
            "--variant auto chooses among all variants and cannot be combined with others.", "Leave the others out."
        )
    files = [path for path in paths if path not in models]
    if models and not files and not selection.devices and not selection.classes:  # a budget names its devices
        selection = replace(selection, devices=devices_of(targets, project, profiles, models[0], progress))
    loaded = load_budgets(files, profiles=profiles) if files else ()
    budgets = selection.which.of(loaded)
    budgets += [_from_model(path, selection, profiles) for path in models]
    chosen = (_with_on_unknown(budget, selection.on_unknown) for budget in budgets if budget.devices)
    held = (_pinned(budget) if selection.pin else budget for budget in chosen)
    return tuple(_trusted(budget) if selection.trust else budget for budget in held)


def _is_model(path: Path) -> bool:
    """Whether a path names a model; a folder does unless it is one of budgets, which may lie at any depth.

    Raises:
        UsageError: the folder is empty.
    """
    if not path.is_dir():
        return path.suffix not in _YAML
    if not is_model_folder(path) and budgets_below(path):
        return False
    if os.access(path, os.R_OK) and not any(path.iterdir()):
        raise UsageError(
            f"{shown_path(path)} is empty: it contains neither a budget (.yaml) nor a model.",
            "Write a budget: edgecheck budget init MODEL --output budgets/NAME.yaml",
        )
    return True


def _from_model(path: Path, selection: Selection, profiles: Profiles) -> Budget:
    given = limits_from_texts(selection.limits)
    names = selection.variants or (usual_variant(path),)
    names_of_devices = selection.which.known(profiles) or (THIS_MACHINE,)
    profiles_given = (selection.given.on(profiles.get(name)) for name in names_of_devices)
    return selection.given.budget(
        path,
        variants=() if AUTO in names else tuple(map(Variant, names)),
        devices=tuple((profile, combined([_limits_of(profile), given])) for profile in profiles_given),
    )


def _limits_of(profile: DeviceProfile) -> dict[str, Limit]:
    return {limit.metric.name: limit for limit in profile.limits}


def _pinned(budget: Budget) -> Budget:
    return replace(budget, effort=replace(budget.effort, pin=True))


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


@dataclass(frozen=True, slots=True)
class Addresses:
    """The address of each device."""

    by_device: Mapping[str, Address]
    default: Address | None = None
    """For every device without its own address; None: the best target available."""
    only_files: bool = False
    """Whether models without a budget run only where an address says so, as they are asked about for many devices."""
    racks: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    """Every address of each device that has several, of which `by_device` has the first."""

    def boards(self, profile: DeviceProfile) -> Boards:
        """The boards of a device that has several."""
        return Boards(addresses=self.racks[profile.id]) if profile.id in self.racks else ONE

    def of(self, budget: Budget, profile: DeviceProfile, limits: tuple[Limit, ...]) -> Address | None:
        """The target for `profile`; None where every limit is read from files, or only files are asked about.

        That an accelerator is used shows only in a run, whatever is limited.
        """
        named = self.by_device.get(profile.id) or self.default
        if self.only_files and not budget.path:
            can_run = named is not None and (not named.kind.emulated or bool(profile.emulation_cpu))
            return named if can_run else None
        if named:
            return named
        needs_run = budget.accelerator is not None or any(limit.metric.needs_device for limit in limits)
        return nearest(profile) if needs_run else None

    def judged(self, budget: Budget, profile: DeviceProfile, limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
        """The limits that are asked about: where only files are, not the profile's limits that need a run."""
        named = self.by_device.get(profile.id) or self.default
        if not self.only_files or budget.path or named:
            return limits
        return tuple(one for one in limits if not one.metric.needs_device or one.source.kind != "profile")


#: `DEVICE=ADDRESS`; the address may contain an equals sign after its scheme.
_NAMED = re.compile(r"([\w.+-]+)=(.*)")


def addresses(
    texts: Sequence[str], project: Project, budgets: Sequence[Budget], *, only_files: bool = False
) -> Addresses:
    """The addresses of the devices of `budgets`: from `--target`, else from the project.

    With `only_files`, models without a budget run only where `--target` says so.

    Raises:
        UsageError: an unknown kind of address, a device that no budget has, or one board for several devices.
    """
    devices = {profile.id for budget in budgets for profile, _ in budget.devices}
    given = _given(texts, project, devices)
    named = {device: boards[0] for device, boards in given.items()}
    racks = {device: boards for device, boards in given.items() if len(boards) > 1}
    default = named.pop("", None)
    others = devices - set(named)
    if default is not None and default.kind.has_host and len(others) > 1:
        raise UsageError(
            f"--target {default} is one board, and the budgets have {len(others)} devices.",
            f"Say which it is: --target {min(others)}={default}",
        )
    saved = {} if default or only_files else _saved_targets(project, budgets)
    racks = {device: each for device, each in saved.items() if len(each) > 1 and device not in named} | racks
    by_device = {device: each[0] for device, each in saved.items()}
    return Addresses({**by_device, **named}, default, only_files, racks)


def _given(texts: Sequence[str], project: Project, devices: Collection[str]) -> dict[str, tuple[Address, ...]]:
    """The addresses on the command line, by device; an empty one stands for every device."""
    given: dict[str, tuple[Address, ...]] = {}
    for text in texts:
        parts = _NAMED.fullmatch(text)
        device, found = (parts[1], project.addresses(parts[2])) if parts else ("", project.addresses(text))
        if not parts and text in project.targets:
            device = text
        if device and device not in devices:
            raise UsageError(
                f"--target {text}: no budget here has the device {device!r}.",
                f"They have: {', '.join(sorted(devices))}.",
            )
        given[device] = distinct_boards([*given.get(device, ()), *found])
        ensure_boards(device, given[device])
    return given


def _saved_targets(project: Project, budgets: Sequence[Budget]) -> dict[str, tuple[Address, ...]]:
    """The addresses in the project's file, and in those of other projects that budgets are in."""
    found = {device: project.addresses(device) for device in project.targets}
    for folder in dict.fromkeys(Path(budget.path).parent for budget in budgets if budget.path):
        other = load_project(folder)
        for device in other.targets.keys() - project.targets.keys():
            each = other.addresses(device)
            if found.setdefault(device, each) != each:
                raise UsageError(
                    f"{device} is at {_listed(found[device])} and at {_listed(each)}, by two project files.",
                    f"Say which it is: --target {device}={each[0]}",
                )
    return found


def _listed(addresses: Sequence[Address]) -> str:
    return ", ".join(map(str, addresses))


def plan(budgets: Iterable[Budget], addresses: Addresses) -> tuple[Check, ...]:
    """Every check of `budgets`, in their order; where the variant is `auto`, one for each device.

    Raises:
        ModelError: a model is missing, damaged, or not a model.
    """
    return tuple(
        _with_candidates(
            Check(
                budget=budget,
                variant=variant,
                profile=profile,
                limits=addresses.judged(budget, profile, limits),
                left_out=_left_out(limits, addresses.judged(budget, profile, limits)),
                source=source,
                target=addresses.of(budget, profile, limits),
                boards=addresses.boards(profile) if addresses.of(budget, profile, limits) else ONE,
            )
        )
        for budget in budgets
        for source in [_complete(Path(budget.model.path))]
        for variant in budget.variants or (Variant(AUTO),)
        for profile, limits in budget.devices
    )


def _left_out(limits: tuple[Limit, ...], judged: tuple[Limit, ...]) -> tuple[str, ...]:
    return tuple(limit.metric.name for limit in limits if limit not in judged)


def _complete(model: Path) -> str:
    """The model's format.

    Raises:
        ModelError: it is missing, damaged, not a model, or without a file that belongs to it.
    """
    source = identify(model).value
    try:
        model_files.files_of(model, source)
    except ModelError as error:
        if isinstance(error.__cause__, Missing):
            raise
    return source


def plan_fit(
    budgets: Sequence[Budget], addresses: Addresses, only: Sequence[Variant] = (), shares: Sequence[float] = ()
) -> tuple[Check, ...]:
    """For each device of `budgets` one check with the variants to choose from.

    These are every variant that the model can be converted to and the budget's variants, or `only` those; and each of
    them pruned by each of `shares`.

    Raises:
        ModelError: a model is missing, damaged, or not a model.
    """
    free = plan((replace(budget, variants=()) for budget in budgets), addresses)
    named = {budget.path: budget.variants for budget in budgets}
    return tuple(
        replace(check, candidates=_pruned_too(only or (*check.candidates, *named.get(check.budget.path, ())), shares))
        for check in free
    )


def _pruned_too(variants: Sequence[Variant], shares: Sequence[float]) -> tuple[Variant, ...]:
    """The variants, and each pruned by each share; an unchanged file becomes float32 with that."""
    pruned = (
        Variant("float32" if each.name == AS_IS else each.name, share)
        for share in shares
        for each in variants
        if share and not each.prune
    )
    return tuple(dict.fromkeys((*variants, *pruned)))


def _with_candidates(check: Check) -> Check:
    """Where the variant is `auto`: with the variants that the model could be shipped as, the least lossy first."""
    if check.budget.variants:
        return check
    from edgecheck.converters.routes import candidate_variants

    names = candidate_variants(Path(check.budget.model.path), check.source, request_of(check).format)
    # Without a route there is one candidate all the same: the attempt to convert it says what is missing.
    return replace(check, candidates=tuple(map(Variant, names)) or (Variant("float32"),))


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of the checks, the same part on every machine."""

    number: int
    """1-based."""
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, checks: Sequence[Check]) -> tuple[Check, ...]:
        """This part's checks, in their order; parts differ by one check at most.

        Neither the order in which budgets were named nor the folder that they lie in on this machine counts. Checks
        are dealt out by a hash, so that a slow device, whose checks recur at a fixed distance, is spread over the
        parts.
        """
        dealt = sorted(range(len(checks)), key=lambda at: (_hash(checks[at]), at))
        mine = set(dealt[self.number - 1 :: self.count])
        return tuple(check for at, check in enumerate(checks) if at in mine)


def _hash(check: Check) -> bytes:
    budget = check.budget
    paths = (os.path.relpath(path) if path else "" for path in (budget.path, budget.model.path))
    identity = (*(Path(path).as_posix() for path in paths), str(check.variant), check.profile.id)
    return hashlib.sha256("\0".join(identity).encode("utf-8", "surrogateescape")).digest()
