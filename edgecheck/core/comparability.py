"""Whether two results may be compared at all: the same runtime, the same machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgecheck.core.address import is_this_machine
from edgecheck.core.metrics import Provenance
from edgecheck.core.report import CheckResult
from edgecheck.core.run import DeviceState, RuntimeFacts

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
