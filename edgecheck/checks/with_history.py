"""A check that knows the history: it warns of what creeps to its limit, and its results are added at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.checks.history_file import Left, Wanted, read
from edgecheck.core.creep import creeping
from edgecheck.core.history import Key, Reading, Series, readings_of
from edgecheck.core.report import CheckResult, Report


@dataclass(frozen=True, slots=True)
class History:
    """What was measured before, and for which commit the new results are."""

    series: Mapping[Key, Series]
    commit: str
    branch: str
    left: Left
    """Lines that were left out."""

    def judge(self, result: CheckResult, report: Report) -> CheckResult:
        """`result` of a report without it, with a caveat for each metric that creeps to its limit, itself included."""
        own = replace(report, results=(result,))
        found = [self._with(key, reading) for key, reading in readings_of(own, self.commit, self.branch)]
        return replace(result, caveats=(*result.caveats, *creeping(found)))

    def _with(self, key: Key, reading: Reading) -> Series:
        """The series on the branch, with a new reading; other branches' steps are not this one's."""
        known = self.series.get(key)
        before = known.readings if known is not None else ()
        same = tuple(one for one in before if one.branch in ("", self.branch) or _is_main(one.branch))
        return Series(key, (*same, reading))


#: Branches from which others start.
_MAIN = ("main", "master", "trunk", "develop")


def _is_main(branch: str) -> bool:
    return branch in _MAIN


def load_history(path: Path, commit: str, branch: str) -> History:
    """The history in a file; an empty one where there is no file yet.

    Raises:
        UsageError: the file cannot be read, or is not a history.
    """
    left = Left()
    found = read(path, Wanted(), left) if path.exists() else []
    return History({series.key: series for series in found}, commit, branch, left)
