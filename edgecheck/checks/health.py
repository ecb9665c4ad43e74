"""Runs a small reference on every board of a project, side by side: the same work shows which board is off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath

from platformdirs import user_cache_path

from edgecheck.checks.boards import Boards
from edgecheck.checks.calibrate import FORMATS, generated_networks
from edgecheck.checks.check import Check
from edgecheck.checks.invocation import now, this_host
from edgecheck.checks.perform import perform
from edgecheck.checks.steps import OnStep
from edgecheck.config import Profiles, Project
from edgecheck.converters.interface import AS_IS, ConversionSettings
from edgecheck.core.address import Address
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import DeviceProfile
from edgecheck.core.report import Report
from edgecheck.errors import UsageError
from edgecheck.version import VERSION

#: The network: convolutions of every kind, a few milliseconds on a Raspberry Pi 4; always the same bytes.
_NETWORK = "separable"

#: The reference's name in reports and in the history, without the suffix of its format.
REFERENCE = "health-reference"

#: Enough inferences for a repeatable median, also of a board whose clock changes.
_EFFORT = Effort(warmup_count=2, warmup_time=1.0, min_count=50, min_time=3.0, max_time=20.0, deadline=300.0)


def boards_of(project: Project, devices: Sequence[str]) -> dict[str, tuple[Address, ...]]:
    """The boards of a project's `targets`, by device: those of `devices`, or of all.

    Raises:
        UsageError: it has none, or not that of a device which is named.
    """
    saved = {device: project.addresses(device) for device in project.targets}
    found = {device: each for device, each in saved.items() if each[0].kind.has_host}
    if unknown := [device for device in devices if device not in found]:
        raise UsageError(f"edgecheck.yaml has no board of {unknown[0]!r}.", f"It has: {', '.join(found) or 'none'}.")
    if not found:
        raise UsageError(
            "No board to look at: edgecheck.yaml names none under `targets`.",
            "Write `targets: {raspberry-pi-4-2gb: [ssh://pi@rack-1, ssh://pi@rack-2]}` into it.",
        )
    return {device: each for device, each in found.items() if not devices or device in devices}


def ask_boards(
    boards: Mapping[str, tuple[Address, ...]],
    profiles: Profiles,
    progress: Callable[[str], None],
    on_step: OnStep | None = None,
    *,
    bundle: str = "",
) -> Report:
    """The reference on each of `boards`, as a report with a check for each; one that is off does not stop the others.

    Args:
        boards: By the id of their profile.
        profiles: Where the profiles are.
        progress: Called with a few words about each step.
        on_step: Called with each step of each board, instead of `progress`.
        bundle: The runtime to use: `system`, `profile`, or empty for the target's default.

    Raises:
        UsageError: a profile names no runtime for the reference.
        ConversionError: the reference cannot be generated here.
    """
    known = {device: profiles.get(device) for device in boards}
    started = now()
    with ExitStack() as stack:
        forms = {_format(profile) for profile in known.values()}
        models = {form: _generated(form, stack, progress) for form in sorted(forms)}
        checks = [
            _check(profile, address, models[_format(profile)], bundle)
            for device, profile in known.items()
            for address in boards[device]
        ]
        results = tuple(perform(checks, ConversionSettings(user_cache_path("edgecheck")), progress, on_step=on_step))
    return Report(
        results=results,
        version=VERSION,
        host=this_host(),
        started=started,
        seconds=max((result.seconds for result in results), default=0.0),
        boards={device: tuple(map(str, each)) for device, each in boards.items()},
    )


def _format(profile: DeviceProfile) -> str:
    """Of the reference: the first that the profile's runtimes run.

    Raises:
        UsageError: they run none.
    """
    found = next((form for form in profile.runtimes if form in FORMATS), "")
    if not found:
        raise UsageError(
            f"The profile of {profile.name} names no runtime for the reference.",
            f"Add one of {', '.join(FORMATS)} to its `runtimes`.",
        )
    return found


def _generated(form: str, stack: ExitStack, progress: Callable[[str], None]) -> Path:
    networks = stack.enter_context(generated_networks([_NETWORK], progress, form))
    made = next(Path(each.path) for each in networks if each.arithmetic == "float")
    return made.rename(made.with_name(f"{REFERENCE}.{form}"))


def _check(profile: DeviceProfile, address: Address, model: Path, bundle: str) -> Check:
    budget = Budget(
        name=REFERENCE,
        path="",
        model=Model(PurePath(model)),
        variants=(Variant(AS_IS),),
        format=model.suffix[1:],
        samples=None,
        inputs={},
        threads=1,
        effort=_EFFORT,
        devices=((profile, ()),),
        bundle=bundle,
    )
    return Check(
        budget=budget,
        variant=Variant(AS_IS),
        profile=profile,
        limits=(),
        source=model.suffix[1:],
        target=address,
        boards=Boards(addresses=(address,)),
    )
