"""One limit's answer as a line of text, the same in every format that has lines and no columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.core.verdict import Status
from edgecheck.reports import wording
from edgecheck.reports.harmless import one_line

if TYPE_CHECKING:
    from edgecheck.core.report import CheckResult
    from edgecheck.core.verdict import Verdict

#: Said of a check that no limit was set for, or that none could be.
NOTHING_JUDGED = "no limit is set for it, so nothing was judged"


def line(verdict: Verdict) -> str:
    """Metric, figure, bound and margin: `size 1.50 MB, limit ≤ 1.00 MB, 50% over`."""
    found, bound = wording.found_and_bound(verdict)
    margin = wording.margin(verdict)
    parts = (f"{verdict.metric.name} {found or 'without a figure'}", f"limit {bound}", margin)
    return ", ".join(part for part in parts if part)


def explained(verdict: Verdict) -> str:
    """The line, and why it is no pass where the line does not say it already."""
    reason = one_line(wording.reason(verdict))
    return f"{line(verdict)}: {reason}" if reason else line(verdict)


def origin(verdict: Verdict) -> str:
    """How the figure was got: provenance and basis; empty without a figure."""
    basis = getattr(verdict.finding, "basis", "")
    return one_line(", ".join(part for part in (wording.provenance(verdict), basis) if part))


def problem(result: CheckResult) -> str:
    """Why there is no artifact or no run, and what to do; or that nothing was judged; empty where all is well."""
    told = one_line(f"{result.problem} {result.hint}".strip())
    return told or ("" if result.verdicts else NOTHING_JUDGED)


def counts_against(verdict: Verdict) -> bool:
    """Whether it is anything but a pass that somebody has to know of."""
    return verdict.status is not Status.PASS and not verdict.ignored
