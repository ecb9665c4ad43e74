"""What differs between two reports: what changed, in words, and the checks that only the earlier one has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from edgecheck.core.caveats import Caveat
from edgecheck.core.finding import Measurement
from edgecheck.core.report import CheckName, CheckResult, Report
from edgecheck.core.text import listed
from edgecheck.core.verdict import Verdict, show_pair


def changes(before: Report, after: Report) -> list[str]:
    """A line for each check that came or went, each status that changed, and each exact figure that did.

    Measured figures differ from run to run: they are named only where the status of their limit changed.
    """
    old = {result.name: result for result in before.results}
    new = {result.name: result for result in after.results}
    lines = [f"{name}: gone" for name in old if name not in new]
    lines += [f"{name}: new, {new[name].status.value}" for name in new if name not in old]
    for name, result in new.items():
        if name in old:
            lines += [f"{name}: {line}" for line in _of_check(old[name], result)]
    return lines


def _of_check(before: CheckResult, after: CheckResult) -> Iterator[str]:
    old = {verdict.metric.name: verdict for verdict in before.verdicts}
    for verdict in after.verdicts:
        known = old.pop(verdict.metric.name, None)
        if known is None:
            yield f"{verdict.metric.name} has a limit now: {verdict.status.value}"
        elif known.status is not verdict.status:
            yield f"{verdict.metric.name} {known.status.value} → {verdict.status.value}{_figures(known, verdict)}"
        elif _is_exact(verdict) and known.found != verdict.found:
            yield f"{verdict.metric.name}{_figures(known, verdict, ' ')}"
        elif known.bound != verdict.bound and math.isfinite(verdict.bound):
            bounds = show_pair(verdict.metric, known.bound, verdict.bound)
            yield f"limit of {verdict.metric.name} {' → '.join(bounds)}"
    for name in old:
        yield f"{name} has no limit any more"


def _is_exact(verdict: Verdict) -> bool:
    return isinstance(verdict.finding, Measurement) and verdict.finding.provenance.value in ("static", "emulated")


def _figures(before: Verdict, after: Verdict, between: str = ", ") -> str:
    """Both figures, where there are two that differ."""
    if before.found is None or after.found is None or before.found == after.found:
        return ""
    return between + " → ".join(show_pair(after.metric, before.found, after.found))


#: Checks that a caveat names.
_MOST_NAMED = 5


def gone(baseline: Report, names: Sequence[CheckName]) -> tuple[Caveat, ...]:
    """A caveat that names the checks of `baseline` that have none of `names`, which nothing judges any more."""
    lost = [one for one in baseline.results if not any(name.is_of(one.lasting_name) for name in names)]
    if not lost:
        return ()
    shown = listed([f"{one.name.model} ({one.variant} on {one.name.device})" for one in lost], _MOST_NAMED)
    return (
        Caveat(
            "gone",
            f"The baseline has {'a check' if len(lost) == 1 else 'checks'} that this report lacks: {shown}.",
            "If it was removed or renamed on purpose, measure the baseline again; else restore its budget.",
        ),
    )
