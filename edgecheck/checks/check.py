"""One check in two steps: what this machine tells of the artifact, then what the device tells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.checks.session import Wanted, run_on
from edgecheck.converters.convert import compressed, convert
from edgecheck.converters.interface import READY, ConversionSettings, Request
from edgecheck.converters.routes import formats_of
from edgecheck.core.caveats import caveats
from edgecheck.core.device_match import standing
from edgecheck.core.finding import Evidence, Likeness, Unmeasured
from edgecheck.core.limits import Limit, Source
from edgecheck.core.measurement import measure, measure_all
from edgecheck.core.metrics import METRICS
from edgecheck.core.report import CheckResult
from edgecheck.core.verdict import Status, judge
from edgecheck.errors import BundleError, EdgecheckError, ModelError, UndecidedError
from edgecheck.targets import open_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecheck.core.artifact import Artifact
    from edgecheck.core.budget import Budget, Variant
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.finding import Finding
    from edgecheck.core.report import WayOut
    from edgecheck.core.run import Run
    from edgecheck.core.verdict import Verdict


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
    candidates: tuple[Variant, ...] = ()
    """Where the variant is `auto`: those to choose from."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A check before it is run: what this machine can tell of it."""

    check: Check
    evidence: Evidence | None
    """None where there is no artifact."""
    error: EdgecheckError | None = None
    """Why nothing can be run."""


def prepare(
    check: Check, workshop: ConversionSettings, tell: Callable[[str], None], *, compare: bool = False
) -> Prepared:
    """Convert, and measure what takes no device; `compare` a ready file with itself also where no limit asks for it."""
    try:
        artifact = compressed(convert(request_of(check), workshop, tell=tell), workshop)
    except (UndecidedError, ModelError) as error:
        return Prepared(check, None, error)
    evidence = Evidence(artifact, profile=check.profile, threads=check.budget.threads)
    evidence = _with_runtime(check, evidence, tell)
    converted = Path(artifact.path) != Path(check.budget.model.path)
    if converted or compare or any(limit.metric.name in ("agreement", "top1") for limit in check.limits):
        evidence = _with_likeness(check, evidence, workshop, tell)
    return Prepared(check, evidence)


def run(prepared: Prepared, tell: Callable[[str], None]) -> CheckResult:
    """The whole answer: what was prepared, and what the device shows."""
    if prepared.evidence is None or prepared.error is not None:
        return judged(prepared)
    try:
        seen = _run(prepared.check, prepared.evidence.artifact, tell)
    except (UndecidedError, ModelError) as error:
        return judged(replace(prepared, error=error))
    return judged(replace(prepared, evidence=replace(prepared.evidence, run=seen)))


def judged(prepared: Prepared) -> CheckResult:
    """Every limit's verdict on what is there."""
    if prepared.evidence is None or prepared.error is not None:
        return _undecided(prepared)
    return _judged(prepared.check, prepared.evidence)


def request_of(check: Check) -> Request:
    """What the check asks of the converters."""
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


def _with_likeness(
    check: Check, evidence: Evidence, workshop: ConversionSettings, tell: Callable[[str], None]
) -> Evidence:
    """Add how well the artifact agrees with its source."""
    from edgecheck.converters.agreement import agreement_of

    try:
        seen = agreement_of(evidence.artifact, request_of(check), workshop, tell=tell)
    except (UndecidedError, ModelError) as error:
        return replace(evidence, likeness_problem=f"{error.message} {error.hint}".strip())
    which = "random samples, seeded" if seen.seeded else "samples"
    basis = f"{seen.samples} {which}" + (f"; {seen.note}" if seen.note else "")
    return replace(evidence, likeness=Likeness(seen.cosine, seen.top1, seen.samples, basis, seen.failure))


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
    verdicts = tuple(judge(limit, findings[limit.metric.name], place) for limit in _limits(check, evidence))
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


def _limits(check: Check, evidence: Evidence | None) -> tuple[Limit, ...]:
    """The check's own; and that outputs are of use, where they are not and nobody thought of a limit for that."""
    unusable = evidence is not None and evidence.likeness is not None and evidence.likeness.failure
    if not unusable or any(limit.metric.name == "agreement" for limit in check.limits):
        return check.limits
    return (*check.limits, Limit(METRICS["agreement"], 0.0, Source("every artifact")))


def _undecided(prepared: Prepared) -> CheckResult:
    check, evidence, error = prepared.check, prepared.evidence, prepared.error
    message, hint = (error.message, error.hint) if error is not None else ("", "")

    def finding(limit: Limit) -> Finding:
        if evidence is not None and not limit.metric.needs_device:
            return measure(limit.metric, evidence)
        return Unmeasured(limit.metric, message)

    verdicts = tuple(judge(limit, finding(limit)) for limit in _limits(check, evidence))
    return CheckResult(
        budget=check.budget,
        variant=check.variant,
        profile=check.profile,
        target=check.target if evidence is not None else "",
        verdicts=verdicts,
        artifact=evidence.artifact if evidence is not None else None,
        findings=_without_device(evidence) if evidence is not None else None,
        problem=message,
        hint=hint,
        ways_out=_ways_out(verdicts, evidence) if evidence is not None else (),
    )


def _without_device(evidence: Evidence) -> dict[str, Finding]:
    """What is known before anything ran."""
    return {name: measure(metric, evidence) for name, metric in METRICS.items() if not metric.needs_device}


def _ways_out(verdicts: Sequence[Verdict], evidence: Evidence) -> tuple[WayOut, ...]:
    """Where the bytes are and what would help, where a limit fails."""
    if all(verdict.status is not Status.FAIL for verdict in verdicts):
        return ()
    from edgecheck.checks.explain.ways_out import ways_out  # it reads whole models: only a failure pays for it

    return ways_out(verdicts, evidence)
