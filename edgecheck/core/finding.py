"""The figure of one metric, or the reason why there is none; and the evidence that figures are read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgecheck.core.artifact import Artifact
from edgecheck.core.device import DeviceProfile
from edgecheck.core.metrics import Metric, Provenance
from edgecheck.core.run import LookCount, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A metric's figure, in its base unit."""

    metric: Metric
    value: float
    provenance: Provenance
    low: float | None = None
    """The lower end of the figure's uncertainty; None where it has none."""
    high: float | None = None
    interval: bool = False
    """Whether `low` and `high` are confidence bounds, all between which must be within a limit."""
    count: int = 1
    """The number of observations: inferences or processes."""
    basis: str = ""
    """How the figure was decided, for a person: `highest of 2 processes`."""
    span: float | None = None
    """Seconds of measuring that a latency is from, and that a verdict on it is about; None for other figures."""
    contended: str = ""
    """Why a time is longer than the model takes, as a clause; empty where nothing slowed it."""
    unwaited: float | None = None
    """A time without what the process waited for a processor, in seconds; None where that is not known."""
    disturbed: str = ""
    """Who may have slowed some of the inferences, as a clause; empty where nobody did, or where `contended` says it."""
    undisturbed: float | None = None
    """The least that the figure can be without the inferences that others may have slowed; None where nobody did."""
    counts: Mapping[str, LookCount] | None = None
    """What the agent counted against each bound, by the limit's key; None where it did not count."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """No figure, and why."""

    metric: Metric
    reason: str
    fails: bool = False
    """Whether the device itself answered (it killed, refused or crashed the model): a fail, not an unknown."""


Finding = Measurement | Unmeasured


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """The artifact's outputs compared with its source model's, on the same samples."""

    agreement: float
    """The lower of the worst sample's cosine similarity and the agreement of what varies over the samples."""
    top1: float | None
    """Share of samples with the same top class; None where the outputs are not class scores."""
    samples: int
    basis: str
    """Which samples, for a person."""
    failure: str = ""
    """Why the artifact's outputs are unusable: not a number, or always the same; empty where they are usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that figures are read from."""

    artifact: Artifact
    run: Run | None = None
    """None where nothing was run."""
    runtime_size: int | None = None
    """Bytes of the unpacked runtime that is deployed with the artifact; None where not known."""
    runtime_problem: str = ""
    """Why the runtime's size is not known."""
    likeness: Likeness | None = None
    """How well the artifact agrees with its source; None where they were not compared."""
    likeness_problem: str = ""
    """Why they could not be compared."""
    profile: DeviceProfile | None = None
    """The device's profile, for projections."""
    threads: int = 1
    """The number of threads that the model ran with."""
    not_run: str = "nothing was run"
    """The reason, where `run` is None."""
