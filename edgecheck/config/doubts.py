"""Doubts about valid limits: those that can never fail, that a measurement cannot resolve, or that profiles lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecheck.core import looks
from edgecheck.core.accelerator import PROVIDERS
from edgecheck.core.budget import Budget, Effort
from edgecheck.core.device import PRECISIONS, DeviceProfile
from edgecheck.core.limits import Allowance, Limit
from edgecheck.core.metrics import AGREEMENT, LOAD_TIME, METRICS, TOP1, Direction, Family
from edgecheck.core.units import Unit

#: Bytes in which the kernel counts the memory of a process: it collects up to 64 pages per thread before it adds them
#: (SPLIT_RSS_COUNTING in mm/memory.c; a per-CPU counter with batches of the same order since Linux 6.2).
COUNTED_RAM = 64 * 4096

#: Seconds that reading the clock twice takes.
CLOCK = 100e-9

#: A cosine of float32 outputs is rounded in about the seventh digit.
ROUNDING = 1e-6

#: Share by which the peak of a few fresh processes differs from run to run.
PROCESSES = 0.05

#: Share by which two counts of instructions differ at most.
COUNTS = 0.001

#: Samples that are generated for a budget without any (`converters.samples.SEEDED`; a test keeps the two equal).
SEEDED = 16


def doubts(limit: Limit, profile: DeviceProfile) -> Iterator[str]:
    """What is doubtful about a limit on a device; a sentence for each doubt."""
    yield from _beyond_the_device(limit, profile)
    bound = limit.warn if limit.error is None else limit.error
    if limit.metric.direction is Direction.AT_LEAST and bound == 0:
        yield "can never fail: every value is at least 0"
    if limit.warn is not None and limit.error is not None and not _is_stricter(limit, limit.warn, limit.error):
        yield f"never warns: warn, {_text(limit, limit.warn)}, is not stricter than error, {_text(limit, limit.error)}"
    if limit.projected_point and not limit.metric.projected:
        projected = " and ".join(name for name, metric in METRICS.items() if metric.projected)
        yield f"`projected:` has no effect: only {projected} is projected"


def _beyond_the_device(limit: Limit, profile: DeviceProfile) -> Iterator[str]:
    metric, bound = limit.metric, max(limit.error or 0, limit.warn or 0)
    if metric.takes_storage and bound > profile.storage.available:
        free = _text(limit, profile.storage.available)
        yield f"can never fail on {profile.id}: {_text(limit, bound)} is more than its free storage, {free}"
    if metric.family is Family.MEMORY and bound > profile.ram.available:
        free = _text(limit, profile.ram.available)
        yield f"is too high for {profile.id}: {_text(limit, bound)} is more than its free RAM, {free}"


def _is_stricter(limit: Limit, one: float, other: float) -> bool:
    return one > other if limit.metric.direction is Direction.AT_LEAST else one < other


def _text(limit: Limit, value: float) -> str:
    return limit.metric.show(value)


def without_accelerator(limit: Limit, budget: Budget) -> Iterator[str]:
    """Why a limit on an accelerator has no figure."""
    if limit.metric.family in (Family.ACCELERATOR, Family.PLACEMENT) and budget.accelerator is None:
        yield "is never measured: the budget has no `accelerator:`"


def unknown_accelerator(budget: Budget) -> Iterator[str]:
    """What a budget asks of its accelerator and its devices' profiles do not list; a sentence for each device."""
    asked = budget.accelerator
    if asked is None or asked.provider not in PROVIDERS or asked.provider == EVERYWHERE:
        return
    for profile, _ in budget.devices:
        if profile.is_this_machine:
            continue
        listed = {one.provider: one for one in profile.accelerators}
        found = listed.get(asked.provider)
        if found is None:
            others = ", ".join(listed) or "none"
            yield f"the profile of {profile.id} does not list {asked.provider} among its accelerators ({others})"
        elif asked.precision in PRECISIONS and asked.precision not in found.precision:
            yield f"{asked.provider} of {profile.id} computes in {', '.join(found.precision)}, not in {asked.precision}"


#: What every LiteRT has.
EVERYWHERE = "xnnpack"


def gaps(limits: Sequence[Limit]) -> Iterator[str]:
    """Kinds of limit that a profile should set but does not."""
    if not any(limit.metric.family is Family.MEMORY for limit in limits):
        yield "no limit on RAM: add ram_peak or ram_model"
    if not any(limit.metric.takes_storage for limit in limits):
        yield "no limit on storage: add footprint, size or download"
    if not any(limit.metric.family in (Family.LATENCY, Family.LOAD) for limit in limits):
        yield "no limit on latency: add latency_p50 or another percentile"


def too_tight(limit: Limit, effort: Effort) -> Iterator[str]:
    """Why a limit asks for more than its measurement can resolve; a sentence for each reason.

    Args:
        limit: A limit in any file.
        effort: How long latencies are measured.
    """
    bounds = [bound for bound in (limit.warn, limit.error) if bound is not None]
    yield from dict.fromkeys(reason for bound in bounds if (reason := _beyond_resolution(limit, bound)))
    if limit.metric.quantile is None:
        return
    # Inferences as slow as the bound are the slowest that may pass.
    needed = looks.inferences_needed(limit.metric.quantile)
    if (span := needed * max(bounds)) > effort.max_time:
        show = LOAD_TIME.show
        yield (
            f"may never be decided: {needed} inferences at {limit.metric.show(max(bounds))} each take "
            f"{show(span)}, but max_time is {show(effort.max_time)}"
        )


def _beyond_resolution(limit: Limit, bound: float) -> str:
    metric = limit.metric
    shown = metric.show(bound)
    if metric.family is Family.MEMORY and 0 < bound < COUNTED_RAM:
        return (
            f"{shown} is tighter than can be measured: the kernel counts memory in steps of {metric.show(COUNTED_RAM)}"
        )
    if metric.unit is Unit.SECONDS and 0 < bound < CLOCK:
        return f"{shown} is tighter than can be measured: reading the clock takes about {metric.show(CLOCK)}"
    if metric == AGREEMENT and 1 - ROUNDING < bound <= 1:
        return f"{metric.show(bound, exact=True)} is tighter than can be measured: outputs in float32 are rounded"
    return ""


def too_tight_for_samples(limit: Limit, budget: Budget) -> Iterator[str]:
    """Why a share of samples is finer than the number of samples allows."""
    if limit.metric != TOP1 or budget.samples is not None:
        return
    for bound in (limit.warn, limit.error):
        if bound is not None and 1 - 1 / SEEDED < bound < 1:
            shown = limit.metric.show(bound)
            yield f"{shown} is tighter than can be measured: all {SEEDED} generated samples must agree"


def too_tight_rules(budget: Budget) -> Iterator[tuple[Allowance, str]]:
    """Rules on growth that are tighter than the difference between two runs, each with the reason."""
    emulated = any(profile.emulation_cpu for profile, _ in budget.devices)
    for rule in budget.regression.each():
        if rule.floor:
            continue
        family, share = rule.metric.family, f"{rule.growth * 100:.3g}%"
        if family is Family.COUNT and rule.growth < COUNTS:
            yield rule, f"{share} is tighter than can be measured: two counts differ by up to {COUNTS:.1%}"
        elif family is Family.MEMORY and not emulated and rule.growth < PROCESSES:
            yield rule, f"{share} is tighter than can be measured: fresh processes differ by {PROCESSES:.0%}"
