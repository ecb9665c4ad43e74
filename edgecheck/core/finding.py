"""The figure of one metric, or the reason why there is none; and all that figures are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.core.artifact import Artifact
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.metrics import Metric, Provenance
    from edgecheck.core.run import LookCount, Run


@dataclass(frozen=True, slots=True)
class Measurement:
    """A metric's figure, in its base unit."""

    metric: Metric
    value: float
    provenance: Provenance
    low: float | None = None
    """The figure's own uncertainty: the lower and the upper end, where it has one."""
    high: float | None = None
    interval: bool = False
    """Low and high are confidence bounds, and all between them must be within a limit."""
    count: int = 1
    """Observations it was decided from: inferences or processes."""
    basis: str = ""
    """How it was decided, for a person: `highest of 2 processes`."""
    counts: Mapping[str, LookCount] | None = None
    """By limit key: what the agent counted against each bound, where it counted."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """There is no figure."""

    metric: Metric
    reason: str
    fails: bool = False
    """The device itself gave the answer (it killed, refused or crashed the model): a fail, not an unknown."""


Finding = Measurement | Unmeasured


@dataclass(frozen=True, slots=True)
class Likeness:
    """The artifact's outputs beside those of the model that it was made from, on the same samples."""

    cosine: float
    """Of the worst sample."""
    top1: float | None
    """Share of samples with the same top class; None where the outputs are no classes."""
    samples: int
    basis: str
    """On which samples, for a person."""
    failure: str = ""
    """Why the artifact's outputs are worth nothing: not a number, or all zero."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that figures are read from."""

    artifact: Artifact
    run: Run | None = None
    """None where nothing was run."""
    runtime_size: int | None = None
    """Bytes of the unpacked runtime that is deployed with the artifact; None where it is not known."""
    runtime_problem: str = ""
    """Why it is not known."""
    likeness: Likeness | None = None
    """How well the artifact agrees with its source; None where that was not looked at."""
    likeness_problem: str = ""
    """Why it could not be looked at."""
    profile: DeviceProfile | None = None
    """The device's, for what is projected on it."""
    threads: int = 1
    """That the model ran with."""
    not_run: str = "nothing was run"
    """Why there is no run, where there is none."""
