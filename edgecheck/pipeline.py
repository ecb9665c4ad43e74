"""The story: convert, run, measure, judge; results come one by one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.formats import identify
from edgecheck.converters import READY, Request, Workshop, convert, formats_of
from edgecheck.core.caveats import caveats
from edgecheck.core.finding import Evidence, Likeness, Unmeasured
from edgecheck.core.measurement import measure, measure_all
from edgecheck.core.report import CheckResult
from edgecheck.core.standing import standing
from edgecheck.core.verdict import Status, judge
from edgecheck.errors import BundleError, EdgecheckError, ModelError, UndecidedError
from edgecheck.session import Wanted, run_on
from edgecheck.side_by_side import in_order
from edgecheck.targets import nearest, open_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from edgecheck.core.artifact import Artifact
    from edgecheck.core.budget import Budget, Variant
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.finding import Finding
    from edgecheck.core.limits import Limit
    from edgecheck.core.run import Run
    from edgecheck.core.verdict import Verdict
    from edgecheck.core.way_out import WayOut


#: What every profile's processor is called by wheels.
DEVICE_MACHINE = "aarch64"


@dataclass(frozen=True, slots=True)
class Check:
    """One variant of one model on one device, with the limits that hold there."""

    budget: Budget
    variant: Variant
    profile: DeviceProfile
    limits: tuple[Limit, ...]
    source: str
    """The model's format, by its bytes."""
    target: str
    """The address to run on; empty: only files are judged."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where devices are."""

    by_device: Mapping[str, str]
    default: str = ""
    """For every device that has none of its own; empty: the best that can be had."""

    def of(self, profile: DeviceProfile, limits: tuple[Limit, ...]) -> str:
        """The target for `profile`; empty where every limit is read from files."""
        named = self.by_device.get(profile.id) or self.default
        if named:
            return named
        return "" if not any(limit.metric.needs_device for limit in limits) else nearest(profile)


def plan(budgets: Iterable[Budget], addresses: Addresses) -> tuple[Check, ...]:
    """Every check of `budgets`, in their order.

    Raises:
        ModelError: a model is missing or is none.
    """
    return tuple(
        Check(budget, variant, profile, limits, source, addresses.of(profile, limits))
        for budget in budgets
        for source in [identify(Path(budget.model.path)).value]
        for variant in budget.variants
        for profile, limits in budget.devices
    )


def perform(
    checks: Sequence[Check], workshop: Workshop, tell: Callable[[str], None], *, machines: int = 1
) -> Iterator[CheckResult]:
    """Convert, run, measure and judge each check, in their order; one that cannot be done does not stop the others.

    Boards run side by side, one check at a time on each, and up to `machines` emulated ones; what is measured on this
    machine has it for itself.
    """

    def run(check: Check) -> CheckResult:
        started = time.monotonic()
        result = _perform(check, workshop, tell)
        return replace(result, seconds=time.monotonic() - started)

    boards = {check.target: 1 for check in checks if check.target not in ("", "local")}
    return in_order(checks, run, lambda check: check.target, boards | {"qemu": machines})


def _perform(check: Check, workshop: Workshop, tell: Callable[[str], None]) -> CheckResult:
    evidence: Evidence | None = None
    try:
        artifact = convert(_request(check), workshop, tell=tell)
        evidence = Evidence(artifact, profile=check.profile, threads=check.budget.threads)
        evidence = _with_runtime(check, evidence, tell)
        evidence = _with_likeness(check, evidence, workshop, tell)
        evidence = replace(evidence, run=_run(check, artifact, tell))
    except (UndecidedError, ModelError) as error:
        return _undecided(check, evidence, error)
    return _judged(check, evidence)


def _with_likeness(check: Check, evidence: Evidence, workshop: Workshop, tell: Callable[[str], None]) -> Evidence:
    """Add how well the artifact agrees with its source, where a limit asks for it."""
    if not any(limit.metric.name in ("agreement", "top1") for limit in check.limits):
        return evidence
    from edgecheck.converters.agreement import agreement_of

    try:
        seen = agreement_of(evidence.artifact, _request(check), workshop, tell=tell)
    except (UndecidedError, ModelError) as error:
        return replace(evidence, likeness_problem=f"{error.message} {error.hint}".strip())
    which = "random samples, seeded" if seen.seeded else "samples"
    about = "; ".join(words for words in (seen.failure, seen.note) if words)
    basis = f"{seen.samples} {which}" + (f"; {about}" if about else "")
    return replace(evidence, likeness=Likeness(seen.cosine, seen.top1, seen.samples, basis))


def _request(check: Check) -> Request:
    budget, variant = check.budget, check.variant
    return Request(
        model=Path(budget.model.path),
        source=check.source,
        format=budget.format or _runnable(check),
        variant=variant.name,
        prune=variant.prune,
        samples=Path(budget.samples) if budget.samples else None,
        inputs=budget.inputs,
        factory=budget.model.factory,
        home=Path(budget.path).parent,
        trusted=budget.model.trusted,
    )


def _runnable(check: Check) -> str:
    """What the profile's runtimes can run: a ready file's own format, else the first that the source can become."""
    can = formats_of(check.source) or READY
    return next((each for each in can if each in check.profile.runtimes), can[0])


def _run(check: Check, artifact: Artifact, tell: Callable[[str], None]) -> Run | None:
    if not check.target:
        return None
    target = open_target(check.target, check.profile)
    bundle = check.budget.bundle or ("system" if target.has_runtime else "profile")
    pins = check.profile.runtimes.get(artifact.format, ()) if bundle == "profile" else ()
    return run_on(target, artifact, Wanted(check.budget, check.limits, pins, check.profile.ram.available), tell=tell)


def _with_runtime(check: Check, evidence: Evidence, tell: Callable[[str], None]) -> Evidence:
    """Add the size of the runtime that the profile deploys, where a limit asks for it."""
    if not any(limit.metric.name == "footprint" for limit in check.limits):
        return evidence
    requirements = check.profile.runtimes.get(evidence.artifact.format, ())
    if not requirements:
        return replace(
            evidence, runtime_problem=f"{check.profile.name} names no runtime for {evidence.artifact.format}"
        )
    from edgecheck.bundles import DevicePlatform, bundle_for

    try:
        bundle = bundle_for(requirements, DevicePlatform(check.profile.python, DEVICE_MACHINE), progress=tell)
    except BundleError as error:
        return replace(evidence, runtime_problem=f"{error.message} {error.hint}".strip())
    return replace(evidence, runtime_size=bundle.unpacked_size)


def _judged(check: Check, evidence: Evidence) -> CheckResult:
    run = evidence.run
    place = standing(check.profile, run)
    findings = measure_all(evidence)
    verdicts = tuple(judge(limit, findings[limit.metric.name], place) for limit in check.limits)
    return CheckResult(
        budget=check.budget,
        variant=check.variant,
        profile=check.profile,
        target=check.target,
        verdicts=verdicts,
        artifact=evidence.artifact,
        run=run,
        findings=findings,
        caveats=caveats(run, check.profile, evidence.artifact.format, check.budget.effort) if run else (),
        ways_out=_ways_out(verdicts, evidence),
    )


def _undecided(check: Check, evidence: Evidence | None, error: EdgecheckError) -> CheckResult:
    def finding(limit: Limit) -> Finding:
        if evidence is not None and limit.metric.is_static:
            return measure(limit.metric, evidence)
        return Unmeasured(limit.metric, error.message)

    verdicts = tuple(judge(limit, finding(limit)) for limit in check.limits)
    return CheckResult(
        budget=check.budget,
        variant=check.variant,
        profile=check.profile,
        target=check.target if evidence is not None else "",
        verdicts=verdicts,
        artifact=evidence.artifact if evidence is not None else None,
        problem=error.message,
        hint=error.hint,
        ways_out=_ways_out(verdicts, evidence) if evidence is not None else (),
    )


def _ways_out(verdicts: Sequence[Verdict], evidence: Evidence) -> tuple[WayOut, ...]:
    """Where the bytes are and what would help, where a limit fails."""
    if all(verdict.status is not Status.FAIL for verdict in verdicts):
        return ()
    from edgecheck.explaining.ways_out import ways_out  # it reads whole models: only a failure pays for it

    return ways_out(verdicts, evidence)
