"""The whole answer: checks, their verdicts, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.core.verdict import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecheck.core.artifact import Artifact
    from edgecheck.core.budget import Budget, Variant
    from edgecheck.core.caveats import Caveat
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.finding import Finding
    from edgecheck.core.run import Run
    from edgecheck.core.tiles import Tiles
    from edgecheck.core.way_out import WayOut


@dataclass(frozen=True, slots=True)
class Tried:
    """A variant beside the one that `variants: auto` chose."""

    variant: str
    words: str
    """Why it was not chosen, in a clause."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One artifact on one device: the answer and its evidence."""

    budget: Budget
    variant: Variant
    profile: DeviceProfile
    target: str
    """The address it ran on; empty where only files were judged."""
    verdicts: tuple[Verdict, ...]
    artifact: Artifact | None = None
    """None where the conversion failed."""
    run: Run | None = None
    findings: Mapping[str, Finding] | None = None
    """Every metric that could be read, judged or not."""
    caveats: tuple[Caveat, ...] = ()
    problem: str = ""
    """Why there is no artifact or no run."""
    hint: str = ""
    seconds: float = 0.0
    """From the start of the check to its verdict."""
    ways_out: tuple[WayOut, ...] = ()
    """What the limits on bytes that do not hold are made of, and what would help."""
    tried: tuple[Tried, ...] = ()
    """Where the variant was chosen from several: the others."""
    tiles: Tiles | None = None
    """Where the artifact's bytes are; None where that is not known."""
    fingerprint: str = ""
    """A name for everything that decided it; empty where nobody will ask."""

    @property
    def status(self) -> Status:
        """The worst of its verdicts."""
        return worst(self.verdicts)


@dataclass(frozen=True, slots=True)
class Report:
    """Every check of one invocation."""

    results: tuple[CheckResult, ...]
    version: str
    """edgecheck's own."""
    host: str
    """System, machine and name of the computer it ran on."""
    started: str
    """ISO 8601, UTC."""
    seconds: float
    shard: str = ""
    """`2/4`: the second of four parts of the checks; empty: all of them."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All verdicts, in order."""
        return tuple(verdict for result in self.results for verdict in result.verdicts)

    @property
    def status(self) -> Status:
        """The worst of all verdicts."""
        return worst(self.verdicts)


_SEVERITY = (Status.PASS, Status.WARN, Status.UNKNOWN, Status.FAIL)


def worst(verdicts: Iterable[Verdict]) -> Status:
    """The most severe status that counts; nothing judged is unknown, never a pass."""
    counted = [verdict.status for verdict in verdicts if not verdict.ignored]
    return max(counted, key=_SEVERITY.index, default=Status.UNKNOWN)


def exit_code(report: Report, *, fail_on_warn: bool = False) -> int:
    """0 every limit holds, 1 one does not, 3 something is not decided and nothing failed."""
    match report.status:
        case Status.FAIL:
            return 1
        case Status.UNKNOWN:
            return 3
        case Status.WARN:
            return 1 if fail_on_warn else 0
        case Status.PASS:
            return 0
