"""What the emulator's plugin counted of an inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the emulator's plugin counted, for one inference."""

    instructions: float
    multiplying: float
    """Those of them that multiply and accumulate."""
    l1_loads: float
    """Loads that missed the first level of the data cache."""
    l1_stores: float
    l2: tuple[tuple[int, float], ...]
    """(Bytes, misses) of each second level that was simulated behind it."""
    cycles: tuple[tuple[str, float], ...] = ()
    """(Model, cycles) of the core by LLVM, where that is installed."""

    @staticmethod
    def of(event: Mapping[str, Any]) -> Counted:
        """From an event `counted`, which is about a number of inferences."""
        share = 1 / event["inferences"]
        return Counted(
            instructions=event["executed"] * share,
            multiplying=event["multiplying"] * share,
            l1_loads=event["l1_loads"] * share,
            l1_stores=event["l1_stores"] * share,
            l2=tuple((size, misses * share) for size, misses in event["l2"]),
            cycles=tuple((model, spent * share) for model, spent in (event.get("cycles") or {}).items()),
        )
