"""How much a metric may grow from a baseline, and whether two results may be compared at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgecheck.core.address import is_this_machine
from edgecheck.core.limits import OnUnknown, Source
from edgecheck.core.metrics import Direction, Metric, Provenance
from edgecheck.core.report import CheckResult
from edgecheck.core.run import DeviceState, RuntimeFacts

#: Added to the name of a metric for the verdict on its growth.
SUFFIX = " vs baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much one metric may grow: the share or the floor, whichever is more.

    A share of a small figure can be less than the noise.
    """

    metric: Metric
    growth: float
    """Share of the baseline: 0.01 is 1 %."""
    source: Source
    floor: float = 0.0
    """In the metric's base unit; a smaller change is never a regression."""
    on_unknown: OnUnknown = OnUnknown.UNKNOWN

    def bound(self, baseline: float) -> float:
        """The worst value that is not a regression from `baseline`, and rises with it; both in base units."""
        change = max(self.growth * baseline, self.floor)
        return baseline + change if self.metric.direction is Direction.AT_MOST else baseline - change

    def __str__(self) -> str:
        share = f"{self.growth * 100:.3g}%"
        return f"{share} or {self.metric.show(self.floor)}, whichever is more" if self.floor else share


def against_baseline(metric: Metric) -> Metric:
    """The metric of the comparison, whose verdict is listed next to the one on the metric itself."""
    return replace(metric, name=f"{metric.name}{SUFFIX}")


#: The share by which total RAM differs between two kernels of one machine.
_SAME_RAM = 0.02


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results, and the computer that ran edgecheck."""

    result: CheckResult
    host: str


def differences(head: Side, base: Side, provenance: Provenance) -> tuple[str, ...]:
    """Why figures of this provenance cannot be compared, each as `runtime: now x, then y`; empty where they can.

    Figures from files are the same everywhere. Figures of a run need the same runtime on the same kind of machine;
    those measured by a clock, the very same machine.
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
    versions = [f"{name} {version}" for name, version in (("Python", facts.python), ("numpy", facts.numpy)) if version]
    return f"{facts} ({', '.join(versions)})" if versions else str(facts)


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
    return text or "unknown"
