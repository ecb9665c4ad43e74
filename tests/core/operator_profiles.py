"""Profiles by hand, for the tests of what is made of them."""

from __future__ import annotations

from typing import Any

from edgecheck.core.metrics import Provenance
from edgecheck.core.operators import Operator, OperatorProfile, SeenOperator, SeenProfile

MS = 1e-3


def seen(name: str, *values_us: int, **fields: Any) -> SeenOperator:
    """An operator as a profiler saw it, in microseconds."""
    given = {"type": "Conv", "provider": "CPUExecutionProvider", "calls": len(values_us), **fields}
    return SeenOperator(name=name, values=tuple(value * 1e-6 for value in values_us), **given)


def seen_profile(whole_us: list[int], *operators: SeenOperator) -> SeenProfile:
    whole = tuple(value * 1e-6 for value in whole_us)
    return SeenProfile(whole=whole, operators=operators, profiler="onnxruntime's own profile")


def operator(name: str, ms: float, *, half: float = 0.0, **fields: Any) -> Operator:
    """An operator that takes `ms` milliseconds, give or take `half`."""
    given = {"type": "Conv", "provider": "CPUExecutionProvider", **fields}
    return Operator(name=name, seconds=ms * MS, low=(ms - half) * MS, high=(ms + half) * MS, **given)


def profile(*operators: Operator, whole: float = 10.0, counted: bool = False, **fields: Any) -> OperatorProfile:
    """A profile of an inference of `whole` milliseconds."""
    given = {
        "plain": None,
        "profiler": "onnxruntime's own profile",
        "runtime": "onnxruntime 1.32.0",
        "inferences": 20,
        "processes": 1,
        **fields,
    }
    provenance = Provenance.EMULATED if counted else Provenance.MEASURED
    return OperatorProfile(operators=operators, whole=whole * MS, provenance=provenance, **given)
