"""What `edgecheck profile` does: one model on one device, converted if it needs that, and profiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edgecheck.checks.accelerated import ensure_possible
from edgecheck.checks.check import Check, ensure_dimensions, needs_of, request_of
from edgecheck.checks.explain.operators import NoProfilerError, profile_artifact
from edgecheck.checks.plan import Selection, addresses, plan, select
from edgecheck.config import Project
from edgecheck.converters import convert as conversion
from edgecheck.converters.interface import ConversionSettings
from edgecheck.core.operators import OperatorProfile
from edgecheck.errors import UndecidedError, UsageError
from edgecheck.targets import nearest, open_target


@dataclass(frozen=True, slots=True)
class Profiled:
    """A profile, and what it is of."""

    check: Check
    profile: OperatorProfile


def plan_profile(
    selection: Selection, project: Project, targets: tuple[str, ...], progress: Callable[[str], None]
) -> Check:
    """What to profile: one variant of one model on one device, without limits.

    Raises:
        UsageError: something that is named does not exist, or it is more than one.
    """
    budgets = select(selection, project, targets, progress)
    checks = plan(budgets, addresses(targets, project, budgets))
    if len(checks) != 1:
        devices = ", ".join(sorted({check.profile.id for check in checks}))
        raise UsageError(
            f"A profile is of one model on one device, and this names {len(checks)}: {devices}.",
            "Name one model, one variant and one --device.",
        )
    check = checks[0]
    return replace(check, limits=(), target=check.target or nearest(check.profile))


def not_comparable(why: Iterable[str]) -> UndecidedError:
    """Two profiles have nothing in common, for these reasons."""
    return UndecidedError(
        f"The two profiles cannot be compared: {'; '.join(why)}.", "Profile two models that one runtime runs."
    )


def ensure_one_format(checks: Sequence[Check]) -> None:
    """Check, before anything is measured, that one runtime runs the artifacts of all checks.

    Raises:
        UndecidedError: their formats differ.
    """
    formats = [request_of(check).format for check in checks]
    if len(set(formats)) > 1:
        names = [check.budget.model.path.name for check in checks]
        raise not_comparable(f"{name} runs as .{each}" for name, each in zip(names, formats, strict=True))


def profile_check(
    check: Check, settings: ConversionSettings, progress: Callable[[str], None], *, processes: int = 1
) -> Profiled:
    """Convert the model if it needs that, and profile it on its target.

    Args:
        check: What to profile, and where.
        settings: Where conversions are cached, and their deadline.
        progress: Called with a few words about each step.
        processes: How many processes profile; from two on, the interval of a figure is between processes.

    A runtime without a profiler that only the device's profile names is replaced, which a note says.

    Raises:
        UndecidedError: it cannot be converted or run, or its profile is not complete.
        ModelError: the model cannot be read.
    """
    assert check.target is not None  # noqa: S101 - `plan_profile` has set one
    artifact = conversion.convert(request_of(check), settings, progress=progress)
    try:
        ensure_dimensions(check, artifact)
    except UndecidedError as error:
        raise UndecidedError(error.message, error.hint.replace("edgecheck check", "edgecheck profile")) from error
    target = open_target(check.target, check.profile)
    if check.budget.accelerator is not None:
        ensure_possible(check.budget.accelerator, artifact, target)
    needs = needs_of(check, artifact, target)
    try:
        found = profile_artifact(target, artifact, needs, check.profile, progress, compared=processes)
    except NoProfilerError:
        if check.budget.runtime or not needs.requirements:  # it was asked for, or is the device's own
            raise
        instead = replace(needs, requirements=(_WITH_PROFILER,))
        found = profile_artifact(target, artifact, instead, check.profile, progress, compared=processes)
        note = f"{check.profile.name} runs it with tflite-runtime, which has no profiler: this is {found.runtime}."
        found = replace(found, notes=(note, *found.notes))
    return Profiled(check, found)


#: The runtime for `.tflite` that has a profiler, where a device's profile names one that has none.
_WITH_PROFILER = "ai-edge-litert==2.3.0"
