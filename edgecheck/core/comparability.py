"""May two results be compared at all? What they differ in, where that decides the figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.core.address import is_this_machine
from edgecheck.core.limits import OnUnknown
from edgecheck.core.metrics import Direction, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.core.limits import Source
    from edgecheck.core.metrics import Metric
    from edgecheck.core.report import CheckResult
    from edgecheck.core.run import DeviceState, RuntimeFacts

# RF-SECTION allowance: How much a metric may grow from a baseline before that is a regression.

#: What the metric of a comparison is called beside the metric itself.
SUFFIX = " vs baseline"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One metric's. Of the share and the floor the more generous holds: a share of little is less than the noise."""

    metric: Metric
    growth: float
    """Share of the baseline: 0.01 is 1 %."""
    source: Source
    floor: float = 0.0
    """In the metric's base unit; a change of no more is never a regression."""
    on_unknown: OnUnknown = OnUnknown.UNKNOWN

    def bound(self, baseline: float) -> float:
        """The worst value that is no regression from `baseline`; it rises with it. Both in base units."""
        change = max(self.growth * baseline, self.floor)
        return baseline + change if self.metric.direction is Direction.AT_MOST else baseline - change

    def __str__(self) -> str:
        share = f"{self.growth * 100:.3g}%"
        return f"{share} or {self.metric.show(self.floor)}, whichever is more" if self.floor else share


def against_baseline(metric: Metric) -> Metric:
    """The metric of the comparison: a verdict on it stands beside the one on the metric itself."""
    return replace(metric, name=f"{metric.name}{SUFFIX}")


#: Total RAM differs by as much between two kernels of one machine.
_SAME_RAM = 0.02


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results, and the computer that edgecheck ran on."""

    result: CheckResult
    host: str


def differences(head: Side, base: Side, provenance: Provenance) -> tuple[str, ...]:
    """What forbids to compare figures of this provenance, each as `runtime: now x, then y`; empty where nothing does.

    What is read from files is the same everywhere. What ran must have run with the same runtime on the same kind of
    machine; what was measured by a clock, on the very same machine.
    """
    if provenance is Provenance.STATIC:
        return ()
    now, then = head.result.run, base.result.run
    if now is None or then is None:
        return ("only one of the two was run",)
    pairs = [
        ("runtime", _runtime(now.runtime), _runtime(then.runtime)),
        *_machine(now.before, then.before),
    ]
    if provenance is Provenance.MEASURED:
        pairs.append(("target", now.target, then.target))
        if now.target == then.target and is_this_machine(now.target):
            pairs.append(("machine", head.host, base.host))
    return tuple(f"{what}: now {_or_unknown(new)}, then {_or_unknown(old)}" for what, new, old in pairs if new != old)


def _runtime(facts: RuntimeFacts | None) -> str:
    if facts is None:
        return ""
    beside = [f"{name} {version}" for name, version in (("Python", facts.python), ("numpy", facts.numpy)) if version]
    return f"{facts} ({', '.join(beside)})" if beside else str(facts)


def _machine(now: DeviceState, then: DeviceState) -> Iterator[tuple[str, str, str]]:
    yield "board", now.model, then.model
    yield "architecture", now.machine, then.machine
    yield "processor", _processor(now), _processor(then)
    yield "C library", now.libc, then.libc
    yield "page size", str(now.page_size or ""), str(then.page_size or "")
    yield "governor", ", ".join(sorted(set(now.governors))), ", ".join(sorted(set(then.governors)))
    yield "power mode", now.power_mode, then.power_mode
    new, old = now.ram_total or 0, then.ram_total or 0
    if abs(new - old) > _SAME_RAM * max(new, old):
        yield "RAM", f"{new / 2**20:,.0f} MiB", f"{old / 2**20:,.0f} MiB"


def _processor(state: DeviceState) -> str:
    names = ", ".join(dict.fromkeys(state.cpu_names or state.cpu_parts))
    return f"{state.cpu_count} x {names}" if names else ""


def _or_unknown(text: str) -> str:
    return text or "not known"
