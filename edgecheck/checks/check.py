"""One check: one variant of one model on one device, from the model file to the verdicts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from edgecheck.anatomy.signature import signature
from edgecheck.checks import accelerated, open_dimensions
from edgecheck.checks.boards import ONE, Boards, doubts_of_boards, ensure_one_left, hand_on
from edgecheck.checks.session import Needs, run_on
from edgecheck.converters import convert as conversion
from edgecheck.converters.interface import READY, Request
from edgecheck.converters.routes import formats_of
from edgecheck.core import device_match, measurement, verdict
from edgecheck.core.address import Address
from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Variant
from edgecheck.core.caveats import Caveat, caveats, low_agreement
from edgecheck.core.command_line import check_command, profile_command
from edgecheck.core.device import DeviceProfile
from edgecheck.core.finding import Evidence, Finding, Likeness, Unmeasured
from edgecheck.core.limits import Limit, Source
from edgecheck.core.metrics import AGREEMENT, FOOTPRINT, OFFLOADED, Family
from edgecheck.core.report import CheckResult, WayOut
from edgecheck.core.text import clean
from edgecheck.core.verdict import Status, Verdict
from edgecheck.errors import BundleError, ConnectionLostError, EdgecheckError, ModelError, UndecidedError
from edgecheck.interrupts import pause
from edgecheck.targets import Reuse, Target, open_target

if TYPE_CHECKING:
    from edgecheck.converters.interface import ConversionSettings


def check_variant(check: Check, settings: ConversionSettings, progress: Callable[[str], None]) -> CheckResult:
    """Convert the model, run the artifact on the device, measure every metric, judge every limit."""
    attempt = convert(check, settings, progress)
    attempt = run(attempt, progress)
    findings = measure(attempt)
    return explained(attempt, judge(attempt, findings), progress)


def explained(attempt: Attempt, result: CheckResult, progress: Callable[[str], None]) -> CheckResult:
    """The result with the model's operators, if a limit on latency or instructions failed or the check asks for them.

    That takes another pass on the device. If it fails, the verdicts stand, and the result says why it has no operators.
    """
    evidence, check = attempt.evidence, attempt.check
    failed = any(each.status is Status.FAIL and each.metric.family in _ON_TIME for each in result.verdicts)
    if not (failed or check.with_operators) or evidence is None or result.run is None or check.target is None:
        return result
    from edgecheck.checks.explain import operators  # only a failure pays for it

    metrics = operators.on_time(result.verdicts)
    try:
        target = open_target(check.target, check.profile)
        needs = needs_of(check, evidence.artifact, target)
        profile = operators.profile_artifact(target, evidence.artifact, needs, check.profile, progress)
    except EdgecheckError as error:
        command = ""
        if not check.budget.runtime:  # `profile` brings another one than the device's profile names
            command = profile_command(check.budget, check.profile, target=str(check.target), variant=check.variant)
        ways_out = (operators.without_operators(metrics, error, command),) if metrics else ()
        return replace(result, ways_out=(*result.ways_out, *ways_out))
    ways_out = (operators.operators_way_out(metrics, profile),) if metrics else ()
    return replace(result, operators=profile, ways_out=(*result.ways_out, *ways_out))


_ON_TIME = (Family.LATENCY, Family.COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One variant of one model on one device, with the limits that apply there."""

    budget: Budget
    variant: Variant
    profile: DeviceProfile
    limits: tuple[Limit, ...]
    source: str
    """The model's format, identified by its bytes."""
    target: Address | None
    """The address to run on; None: only files are judged."""
    candidates: tuple[Variant, ...] = ()
    """The variants to choose from, where `variant` is `auto`."""
    left_out: tuple[str, ...] = ()
    """Metrics with limits that need a run, where only files are asked about."""
    reuse: Reuse = field(default_factory=Reuse, repr=False)  # resuming compares checks of other invocations
    """Which earlier results of emulated devices may be taken."""
    fingerprint: str = ""
    """A hash of everything that decides the result, for `--resume`; empty where nothing is resumed."""
    with_operators: bool = False
    """Whether the operators are profiled even if every limit holds."""
    boards: Boards = field(default=ONE, repr=False)  # a board more or less does not change what is resumed
    """Where the device has several addresses: all of them, and which were lost."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A check as far as it got: the evidence collected, and the error that ended it."""

    check: Check
    evidence: Evidence | None = None
    """None where the conversion failed."""
    error: EdgecheckError | None = None
    """Why there is no artifact, or no run."""
    settings: ConversionSettings | None = None
    """Where the source's outputs are kept, to compare those of an accelerator with them."""


def convert(
    check: Check, settings: ConversionSettings, progress: Callable[[str], None], *, compare: bool = False
) -> Attempt:
    """Make the artifact and collect everything that needs no device.

    Args:
        check: What to convert, and to which variant.
        settings: Where conversions are cached, and their deadline.
        progress: Called with a few words about each step.
        compare: Compare the outputs with the source model's even for a ready file whose limits do not need it.
    """
    with _CONVERSIONS:
        pause(0.0)  # which raises where the check was interrupted meanwhile
        return _converted(check, settings, progress, compare=compare)


#: As many conversions at once as this host has processors, however many boards wait: each loads a framework.
_CONVERSIONS = BoundedSemaphore(os.cpu_count() or 1)


def _converted(
    check: Check, settings: ConversionSettings, progress: Callable[[str], None], *, compare: bool
) -> Attempt:
    try:
        artifact = conversion.compressed(conversion.convert(request_of(check), settings, progress=progress), settings)
    except (UndecidedError, ModelError) as error:
        return Attempt(check, error=error)
    evidence = Evidence(artifact=artifact, profile=check.profile, threads=check.budget.threads)
    evidence = _with_runtime_size(check, evidence, progress)
    converted = _is_converted(check, artifact)
    by_accelerator = check.budget.accelerator is not None and check.target is not None and not compare
    judged = any(limit.metric.family is Family.LIKENESS for limit in check.limits)
    if not by_accelerator and (converted or compare or judged):
        evidence = _with_likeness(check, evidence, settings, progress)
    return Attempt(check, evidence, settings=settings)


def _is_converted(check: Check, artifact: Artifact) -> bool:
    return Path(artifact.path) != Path(check.budget.model.path)


def run(attempt: Attempt, progress: Callable[[str], None]) -> Attempt:
    """Run the artifact on the check's target; unchanged where there is no target or no artifact.

    On an accelerator, its own outputs are compared with the source's.
    """
    check, evidence = attempt.check, attempt.evidence
    if evidence is None or attempt.error is not None or not check.target:
        return attempt
    try:
        ensure_dimensions(check, evidence.artifact)
        ensure_one_left(check.boards)
        target = open_target(check.target, check.profile)
        if check.budget.accelerator is not None:
            accelerated.ensure_possible(check.budget.accelerator, evidence.artifact, target)
        needs = needs_of(check, evidence.artifact, target)
        evidence = replace(evidence, run=run_on(target, evidence.artifact, needs, progress=progress))
        if check.budget.accelerator is not None and attempt.settings is not None:
            evidence = accelerated.compared_on_device(
                evidence, request_of(check), target, needs, settings=attempt.settings, progress=progress
            )
    except ConnectionLostError as error:
        hand_on(check.boards, error)
        hint = f"Run it again, which sends only what has not arrived: {_command(check)}"
        return replace(attempt, error=ConnectionLostError(error.message, hint))
    except (UndecidedError, ModelError) as error:
        hand_on(check.boards, error)
        return replace(attempt, error=error)
    return replace(attempt, evidence=evidence)


def ensure_dimensions(check: Check, artifact: Artifact) -> None:
    """Check that every dimension that the file leaves open has a size, as far as one is needed.

    Raises:
        UndecidedError: one has none; the hint has the command with it.
    """
    open_dimensions.ensure_known(check.budget, artifact, lambda shapes: _command(check, shapes))


def needs_of(check: Check, artifact: Artifact, target: Target) -> Needs:
    """What a run of the artifact on the check's target needs."""
    bundle = check.budget.bundle or ("system" if target.has_runtime else "profile")
    return Needs(
        budget=check.budget,
        limits=check.limits,
        requirements=check.profile.runtimes.get(artifact.format, ()) if bundle == "profile" else (),
        device_memory=check.profile.ram.available,
        reuse=check.reuse,
        is_handed_on=bool(check.boards.addresses),
    )


def _command(check: Check, inputs: Mapping[str, str] | None = None) -> str:
    """The command that does this check, with the shapes of `inputs`."""
    return check_command(
        check.budget,
        check.profile,
        target=str(check.target or ""),
        variant=check.variant,
        limits=check.limits,
        inputs=inputs,
    )


def measure(attempt: Attempt) -> Mapping[str, Finding]:
    """The finding of each metric, by name; after an error only of metrics that need no device."""
    if attempt.evidence is None:
        return {}
    return measurement.measure_all(attempt.evidence, on_device=attempt.error is None)


def judge(attempt: Attempt, findings: Mapping[str, Finding]) -> CheckResult:
    """The verdict on each limit; what could not be measured because of an error is unknown for that reason."""
    check, evidence, error = attempt.check, attempt.evidence, attempt.error
    seen = evidence.run if evidence is not None else None
    message, hint = (error.message, error.hint) if error is not None else ("", "")
    match = device_match.match(check.profile, seen)
    verdicts = tuple(
        verdict.judge(limit, findings.get(limit.metric.name) or Unmeasured(limit.metric, message), match)
        for limit in _limits(check, evidence)
    )
    return CheckResult(
        budget=check.budget,
        variant=check.variant,
        profile=check.profile,
        target=str(check.target or "") if evidence is not None else "",
        verdicts=verdicts,
        artifact=evidence.artifact if evidence is not None else None,
        run=seen,
        findings=findings or None,
        caveats=(*_not_asked(check), *_doubts_of_files(check, evidence), *_doubts_of_run(check, evidence)),
        problem=message,
        hint=hint,
        ways_out=_ways_out(verdicts, evidence) if evidence is not None else (),
        fingerprint=check.fingerprint,
        lost_boards=check.boards.lost,
    )


def _not_asked(check: Check) -> Iterator[Caveat]:
    """That limits which need a run were not asked about."""
    if check.left_out:
        yield Caveat(
            "files-only",
            f"Only files were judged: limits on {', '.join(check.left_out)} need a run.",
            "Add --target qemu to run the model on emulated devices.",
        )


def _doubts_of_run(check: Check, evidence: Evidence | None) -> tuple[Caveat, ...]:
    if evidence is None or evidence.run is None:
        return ()
    of_run = caveats(evidence.run, check.profile, evidence.artifact.format, check.budget.effort)
    return (*doubts_of_boards(check.boards, str(check.target)), *of_run)


def _doubts_of_files(check: Check, evidence: Evidence | None) -> Iterator[Caveat]:
    """What the artifact itself gives reason to doubt, unless a limit judges it."""
    if evidence is None:
        return
    yield from _other_signatures(evidence.artifact)
    judged = any(limit.metric == AGREEMENT for limit in check.limits)
    if check.budget.accelerator is not None and not judged:
        yield from accelerated.not_compared(evidence)
    if evidence.likeness is not None and not judged:
        yield from low_agreement(evidence.likeness)


def _other_signatures(artifact: Artifact) -> Iterator[Caveat]:
    """That a .tflite can be called in several ways, of which only one ran."""
    if artifact.format != "tflite":
        return
    try:
        names = signature(Path(artifact.path)).names
    except ModelError:  # the runtime will say what is wrong with it
        return
    if len(names) > 1:
        ran = artifact.signature or names[0]
        others = [name for name in names if name != ran]
        yield Caveat(
            "several-signatures",
            f"The model has {len(names)} signatures; runs and comparisons are of {clean(ran)}, "
            f"not of {', '.join(map(clean, others))}.",
            f"To check another one, name it: --signature {clean(others[0])} (`signature:` in a budget).",
        )


def request_of(check: Check) -> Request:
    """The conversion that the check needs."""
    budget, variant = check.budget, check.variant
    return Request(
        model=Path(budget.model.path),
        source=check.source,
        format=budget.format or _runnable_format(check),
        variant=variant.name,
        prune=variant.prune,
        samples=Path(budget.samples) if budget.samples else None,
        inputs=budget.inputs,
        signature=budget.model.signature,
        factory=budget.model.factory,
        home=Path(budget.path).parent,
        trusted=budget.model.trusted,
    )


def _runnable_format(check: Check) -> str:
    """A format that the accelerator and the profile's runtimes run, the first that the source converts to.

    A ready file has its format.
    """
    possible = formats_of(check.source) or READY
    if check.budget.accelerator is not None:
        possible = tuple(each for each in possible if each in check.budget.accelerator.kind.formats) or possible
    return next((each for each in possible if each in check.profile.runtimes), possible[0])


#: The processor in the names of wheels; every profile's device has this one.
DEVICE_MACHINE = "aarch64"


def _with_runtime_size(check: Check, evidence: Evidence, progress: Callable[[str], None]) -> Evidence:
    """Add the size of the runtime that the profile deploys, where a limit needs it."""
    if not any(limit.metric == FOOTPRINT for limit in check.limits):
        return evidence
    requirements = check.profile.runtimes.get(evidence.artifact.format, ())
    if not requirements:
        return replace(
            evidence, runtime_problem=f"{check.profile.name} names no runtime for {evidence.artifact.format}"
        )
    from edgecheck.bundles import DevicePlatform, bundle_for

    try:
        bundle = bundle_for(requirements, DevicePlatform(check.profile.python, DEVICE_MACHINE), progress=progress)
    except BundleError as error:
        return replace(evidence, runtime_problem=f"{error.message} {error.hint}".strip())
    return replace(evidence, runtime_size=bundle.unpacked_size)


def _with_likeness(
    check: Check, evidence: Evidence, settings: ConversionSettings, progress: Callable[[str], None]
) -> Evidence:
    """Add how well the artifact's outputs agree with the source model's."""
    from edgecheck.converters.agreement import agreement_of

    try:
        seen = agreement_of(evidence.artifact, request_of(check), settings, progress=progress)
    except (UndecidedError, ModelError) as error:
        return replace(evidence, likeness_problem=f"{error.message} {error.hint}".strip())
    likeness = Likeness(
        agreement=seen.agreement, top1=seen.top1, samples=seen.samples, basis=seen.basis, failure=seen.failure
    )
    return replace(evidence, likeness=likeness)


def _limits(check: Check, evidence: Evidence | None) -> tuple[Limit, ...]:
    """The check's limits, and those that hold for every check that they are about.

    That an accelerator was asked for and not used fails, whatever the budget limits; and so do unusable outputs, or
    those that could not be compared.
    """
    limits = _artifact_limits(check, evidence)
    if check.budget.accelerator is None or any(each.metric == OFFLOADED for each in limits):
        return limits
    return (*limits, Limit(metric=OFFLOADED, error=0.0, source=Source("every accelerator")))


def _artifact_limits(check: Check, evidence: Evidence | None) -> tuple[Limit, ...]:
    likeness = evidence.likeness if evidence is not None else None
    doubtful = bool(likeness.failure if likeness is not None else evidence is not None and evidence.likeness_problem)
    if evidence is not None and check.budget.accelerator is not None and likeness is None:
        # Of a run that failed, the other limits say so; of a ready file that this machine cannot run, a caveat does.
        doubtful = _is_converted(check, evidence.artifact) and not accelerated.unfinished(evidence.run)
    if not doubtful or any(limit.metric == AGREEMENT for limit in check.limits):
        return check.limits
    return (*check.limits, Limit(metric=AGREEMENT, error=0.0, source=Source("every artifact")))


def _ways_out(verdicts: Sequence[Verdict], evidence: Evidence) -> tuple[WayOut, ...]:
    """What would help, and where the bytes are; empty unless a limit fails."""
    if all(each.status is not Status.FAIL for each in verdicts):
        return ()
    from edgecheck.checks.explain.ways_out import ways_out  # it reads entire models: only a failure pays for it

    return ways_out(verdicts, evidence)
