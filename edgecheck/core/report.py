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

# RF-SECTION way_out: What a limit that does not hold is made of, and what would help: figures with a word each.


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the bytes, or a way to save some."""

    name: str
    """A layer, a phase of the run, or a means such as `int8`."""
    size: int
    """Bytes."""
    words: str = ""
    """One clause about it."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """The bytes behind metrics whose limits do not hold."""

    metrics: tuple[str, ...]
    """Their names; they share the parts."""
    parts: tuple[Part, ...]
    """Where the bytes are, the most first."""
    savings: tuple[Part, ...] = ()
    """What would make them fewer, the most first; the sizes are what is saved."""
    notes: tuple[str, ...] = ()
    """What else a person should know, a sentence each."""


# RF-SECTION tiles: Where the bytes of an artifact are, in as many parts as a person can tell apart: what a treemap
# draws.


@dataclass(frozen=True, slots=True)
class Tiles:
    """Parts and their parts, column by column, a parent before its children; the first one is the whole file.

    The sizes of a part's own parts sum to its size.
    """

    parent: tuple[int, ...]
    """Index of what it is a part of; -1 for the first."""
    name: tuple[str, ...]
    size: tuple[int, ...]
    """Bytes in the file."""
    group: tuple[str, ...]
    """What most of it is: `weight`, `constant`, `structure`, …"""
    detail: tuple[str, ...]
    """Type and shape of a tensor; how many there are, of several."""

    def __post_init__(self) -> None:
        """Whoever draws it counts on its being a tree.

        Raises:
            ValueError: it is none.
        """
        count = len(self.parent)
        if not count or {len(column) for column in (self.name, self.size, self.group, self.detail)} != {count}:
            raise ValueError("the columns are not of one length")
        if self.parent[0] != -1 or not all(0 <= parent < at for at, parent in enumerate(self.parent[1:], 1)):
            raise ValueError("a part comes before what it is a part of")
        if min(self.size) < 0:
            raise ValueError("a size is negative")


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
