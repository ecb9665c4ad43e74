"""The sizes and figures of several models against what differs between them."""

from __future__ import annotations

from dataclasses import dataclass

from edgecheck.core.finding import Finding, Measurement
from edgecheck.core.metrics import LATENCY_P50, RAM_PEAK


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One model of a sweep."""

    value: str
    """What was varied, as it was written: `100`, `0.5`, `int8`."""
    model: str
    """The file's name."""
    size: int
    """Bytes of all files."""
    params: int
    """Weights stored."""
    zeros: float | None
    """Share of the weights that are zero; None where the file encodes them."""
    download: int
    """Bytes after gzip -9."""
    agreement: float | None = None
    """Worst cosine with the reference; None without one."""
    top1: float | None = None
    """Share of samples with the same top class; None without class scores or a reference."""
    measured: tuple[Finding, ...] = ()
    """What a run measured, in the order of `RUN_METRICS`; empty where nothing ran."""
    note: str = ""
    """Why a figure is missing."""

    @property
    def number(self) -> float | None:
        """The value as a number; None for a word."""
        try:
            return float(self.value)
        except ValueError:
            return None

    def found(self, at: int) -> float | None:
        """The measured figure at this place, in base units; None where there is none."""
        finding = self.measured[at] if at < len(self.measured) else None
        return finding.value if isinstance(finding, Measurement) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The points in order of their values, and what they are compared with."""

    factor: str
    """What was varied: `trees`, `prune`, `variant`."""
    points: tuple[Point, ...]
    reference: str = ""
    """The model that `agreement` compares with; empty without one."""
    target: str = ""
    """Where the models ran; empty where they did not."""
    seeded: bool = False
    """Whether agreement was measured on random samples."""


#: What a run adds to a point.
RUN_METRICS = (RAM_PEAK.name, LATENCY_P50.name)


def ordered(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Numbers in ascending order, before words in the order given."""
    numbers = sorted((each for each in points if each.number is not None), key=lambda each: each.number or 0.0)
    return (*numbers, *(each for each in points if each.number is None))
