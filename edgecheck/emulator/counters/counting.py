"""Counting during a run: words for QEMU and the agent, and a line of the protocol from the plugin's record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck.emulator.cache import Cache
from edgecheck.emulator.counters import cycles, plugin, record
from edgecheck.emulator.counters.cycles import Tools
from edgecheck.emulator.counters.plugin import Plugin
from edgecheck.store import Progress

#: A model whose inference takes longer than a batch is counted once if that is within this share of its first
#: inference, which also takes page faults and packs weights (10 % more of a MobileNetV2); the second and the third are
#: within 0.02 % of each other.
_FIRST_TOLERANCE = 0.15

#: Of the cache's root: what LLVM said about blocks.
_CYCLES = "cycles.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What counts in a machine with a core."""

    plugin: Plugin
    cpu: str
    """As QEMU takes it."""
    tools: Tools | None
    """LLVM's, for cycles; None where this host has none."""
    kept: Path
    """Where cycles of blocks are remembered."""

    @property
    def identity(self) -> str:
        """Everything that decides the counts of a run, apart from the run itself."""
        models = ",".join(cycles.models_for(self.cpu))
        return f"{self.plugin.content} {self.tools.version if self.tools else 'no LLVM'} {models}"

    def arguments(self, out: Path) -> tuple[str, ...]:
        """QEMU's words; what is counted is appended to `out`."""
        return self.plugin.arguments(self.cpu, out)

    def job(self, job: Mapping[str, object]) -> dict[str, object]:
        """The agent's job with marks in its deterministic pass."""
        plan: Any = job["deterministic"]
        return {**job, "deterministic": {**plan, "marks": True, "first_tolerance": _FIRST_TOLERANCE}}

    def followed(self, lines: Iterable[bytes], out: Path) -> Iterator[bytes]:
        """The agent's lines; one with the counts follows the line with the batches, by which they are complete.

        Raises:
            EmulatorError: the plugin's record cannot be read.
        """
        for line in lines:
            yield line
            if b'"batches"' in line and (event := json.loads(line))["event"] == "batches":
                yield from self._counted(event, out)

    def _counted(self, batches: Mapping[str, Any], out: Path) -> Iterator[bytes]:
        found = record.read(out)
        if found is None:  # the machine's Python has no ctypes
            return
        event = {
            "event": "counted",
            "process": batches["process"],
            "inferences": batches["batches"][-1]["count"],
            "executed": found.instructions,
            "multiplying": found.multiplying,
            "l1_loads": found.l1_loads,
            "l1_stores": found.l1_stores,
            "l2": sorted(map(list, found.l2.items())),
            "cycles": self._cycles(found),
        }
        yield json.dumps(event).encode() + b"\n"

    def _cycles(self, found: record.Record) -> dict[str, float]:
        if self.tools is None:
            return {}
        each = {
            model: cycles.cycles(found.blocks, model, self.tools, self.kept) for model in cycles.models_for(self.cpu)
        }
        return {model: value for model, value in each.items() if value is not None}


def ensure(cpu: str, cache: Cache, progress: Progress) -> Counting:
    """What counts on this host, compiled now where it is not yet.

    Raises:
        EmulatorError: this host cannot count; message and hint say what is missing.
    """
    return Counting(plugin=plugin.ensure(cache, progress), cpu=cpu, tools=cycles.tools(), kept=cache.root / _CYCLES)
