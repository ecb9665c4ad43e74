"""A report: the results of checks, what explains them, and the status and exit code that follow."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Variant
from edgecheck.core.caveats import Caveat
from edgecheck.core.device import DeviceProfile
from edgecheck.core.finding import Finding
from edgecheck.core.operators import OperatorProfile
from edgecheck.core.run import Run
from edgecheck.core.verdict import Status, Verdict

#: In the words of a saving: with it alone, the limit that failed would hold.
WOULD_HOLD = "which would hold"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the bytes or of the time, or a way to save some."""

    name: str
    """A layer, a phase of the run, an operator, or a means such as `int8`."""
    size: float
    """Bytes; in the unit of a metric of time or of instructions where it explains that."""
    words: str = ""
    """A clause about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """The bytes behind metrics whose limits failed, and what would make them fewer."""

    metrics: tuple[str, ...]
    """Names of the metrics, which share the parts."""
    parts: tuple[Part, ...]
    """Where the bytes are, the largest first."""
    savings: tuple[Part, ...] = ()
    """What would make them fewer, the largest saving first; the sizes are the savings."""
    notes: tuple[str, ...] = ()
    """Further remarks, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Where the bytes of an artifact are: a tree of parts for a treemap, as columns, parents before their children.

    The first part is the entire artifact. The sizes of a part's children sum to its size.
    """

    parent: tuple[int, ...]
    """Index of the parent; -1 for the first."""
    name: tuple[str, ...]
    size: tuple[int, ...]
    """Bytes in the file."""
    group: tuple[str, ...]
    """What most of the part is: `weight`, `constant`, `structure`, …"""
    detail: tuple[str, ...]
    """Type and shape of a tensor; the number of tensors where there are several."""

    def __post_init__(self) -> None:
        """Ensure that the columns are a tree, which drawing relies on.

        Raises:
            ValueError: they are not.
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
    """A variant that `variants: auto` did not choose."""

    variant: str
    words: str
    """The reason, in a clause."""


@dataclass(frozen=True, slots=True)
class LostBoard:
    """One of several boards of a device, from the moment on at which it could not be used any more."""

    address: str
    reason: str
    """A sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckName:
    """What a check is known by in another report."""

    budget: str
    """The budget file, as it was named."""
    model: str
    """The name of the model's file, whose folder can be elsewhere."""
    variant: str
    """Empty where any will do, since it is chosen among several each time."""
    device: str

    def __str__(self) -> str:
        return f"{self.model} · {self.variant} · {self.device}"

    def is_of(self, other: CheckName) -> bool:
        """Whether both are of one check."""
        same = (self.budget, self.model, self.device) == (other.budget, other.model, other.device)
        return same and (not self.variant or not other.variant or self.variant == other.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """The findings of all metrics, limited or not, by name; None where there is no artifact."""
    caveats: tuple[Caveat, ...] = ()
    problem: str = ""
    """Why there is no artifact or no run."""
    hint: str = ""
    seconds: float = 0.0
    """Duration of the check."""
    ways_out: tuple[WayOut, ...] = ()
    """What the bytes behind failed limits are, and what would help."""
    tried: tuple[Tried, ...] = ()
    """The other variants, where this one was chosen from several."""
    tiles: Tiles | None = None
    """Where the artifact's bytes are; None where not known."""
    operators: OperatorProfile | None = None
    """What each operator takes, where the check profiled them: a limit on time failed, or it was asked to."""
    fingerprint: str = ""
    """A hash of everything that decided the result; empty where nothing is resumed."""
    lost_boards: tuple[LostBoard, ...] = ()
    """The boards that were lost with this check, before another one measured it."""

    @property
    def name(self) -> CheckName:
        """What it is known by in another report."""
        return CheckName(
            budget=self.budget.path,
            model=self.budget.model.path.name,
            variant=str(self.variant),
            device=self.profile.id,
        )

    @property
    def lasting_name(self) -> CheckName:
        """The name without a variant that was chosen among several, which another report may have chosen otherwise."""
        return replace(self.name, variant="") if self.tried else self.name

    @property
    def status(self) -> Status:
        """The worst of its verdicts."""
        return worst(self.verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Every check of one invocation."""

    results: tuple[CheckResult, ...]
    version: str
    """Version of edgecheck."""
    host: str
    """System, machine and name of the computer it ran on."""
    started: str
    """ISO 8601, UTC."""
    seconds: float
    shard: str = ""
    """`2/4`: the second of four parts of the checks; empty: all of them."""
    folder: str = ""
    """Where edgecheck was called, from the root of the repository: `apps/cam`; empty: at the root, or in none."""
    boards: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The addresses of each device that has several."""

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
    """The most severe status that counts; unknown, never a pass, where nothing was judged."""
    counted = [verdict.status for verdict in verdicts if not verdict.ignored]
    return max(counted, key=_SEVERITY.index, default=Status.UNKNOWN)


def exit_code(report: Report, *, fail_on_warn: bool = False) -> int:
    """0: every limit holds, 1: one failed, 3: one is undecided and none failed."""
    match report.status:
        case Status.FAIL:
            return 1
        case Status.UNKNOWN:
            return 3
        case Status.WARN:
            return 1 if fail_on_warn else 0
        case Status.PASS:
            return 0


def from_root(report: Report) -> Report:
    """The same report as if edgecheck had been called at the root of the repository, from which a forge names files."""
    if not report.folder:
        return report
    return replace(report, results=tuple(_from_root(result, report.folder) for result in report.results), folder="")


def _from_root(result: CheckResult, folder: str) -> CheckResult:
    budget = result.budget
    model = replace(budget.model, path=PurePath(named_from_root(str(budget.model.path), folder)))
    verdicts = (
        replace(one, limit=replace(one.limit, source=replace(source, file=named_from_root(source.file, folder))))
        for one in result.verdicts
        for source in [one.limit.source]
    )
    return replace(
        result,
        budget=replace(budget, path=named_from_root(budget.path, folder), model=model),
        verdicts=tuple(verdicts),
    )


def named_from_root(file: str, folder: str) -> str:
    """A path from `folder` as one from the root that `folder` is in; one that leads out of it stays as it is."""
    if not file or posixpath.isabs(file):
        return file
    named = posixpath.normpath(posixpath.join(folder, file))
    return file if named.startswith("../") else named
