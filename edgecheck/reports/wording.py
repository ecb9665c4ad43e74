"""The sentences that every report says alike."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from edgecheck.core import text as core_text
from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import Direction, Provenance
from edgecheck.core.verdict import Status, show_pair

if TYPE_CHECKING:
    from edgecheck.core.report import CheckResult, Report
    from edgecheck.core.verdict import Verdict

# RF-SECTION limit_lines: One limit's answer as a line of text, the same in every format that has lines and no
# columns.

#: Said of a check that no limit was set for, or that none could be.
NOTHING_JUDGED = "no limit is set for it, so nothing was judged"


def line(verdict: Verdict) -> str:
    """Metric, figure, bound and margin: `size 1.50 MB, limit ≤ 1.00 MB, 50% over`."""
    found, bound = found_and_bound(verdict)
    parts = (f"{verdict.metric.name} {found or 'without a figure'}", f"limit {bound}", margin(verdict))
    return ", ".join(part for part in parts if part)


def explained(verdict: Verdict) -> str:
    """The line, and why it is no pass where the line does not say it already."""
    why = one_line(reason(verdict))
    return f"{line(verdict)}: {why}" if why else line(verdict)


def origin(verdict: Verdict) -> str:
    """How the figure was got: provenance and basis; empty without a figure."""
    basis = getattr(verdict.finding, "basis", "")
    return one_line(", ".join(part for part in (provenance(verdict), basis) if part))


def problem(result: CheckResult) -> str:
    """Why there is no artifact or no run, and what to do; or that nothing was judged; empty where all is well."""
    told = one_line(f"{result.problem} {result.hint}".strip())
    return told or ("" if result.verdicts else NOTHING_JUDGED)


def counts_against(verdict: Verdict) -> bool:
    """Whether it is anything but a pass that somebody has to know of."""
    return verdict.status is not Status.PASS and not verdict.ignored


# RF-SECTION harmless: Text from outside made harmless: the names of files, models and devices can hold anything
# that a system allows.

#: Characters of one message in a table; a compiler's error can be longer than the report around it.
LONGEST = 400


def one_line(text: str) -> str:
    """`text` on one line, with a replacement character for each that is not shown."""
    return clean(text)


def shortened(text: str, most: int = LONGEST) -> str:
    """The first `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


#: The core's: anatomy's tiles are made of the same text.
clean = core_text.clean


def found_and_bound(verdict: Verdict) -> tuple[str, str]:
    """Texts of what was found and of the bound with its sign; the first is empty where nothing was found."""
    sign = "≤" if verdict.metric.direction is Direction.AT_MOST else "≥"
    if verdict.found is None:
        return "", f"{sign} {verdict.metric.show(verdict.bound)}"
    found, bound = show_pair(verdict.metric, verdict.found, verdict.bound)
    return found, f"{sign} {bound}"


def source(verdict: Verdict) -> str:
    """Where the limit was written; a profile's folder is left out, since `edgecheck devices show` tells it."""
    place = verdict.limit.source
    if place.kind == "profile" and place.file:
        return clean(f"{PurePath(place.file).name}:{place.line}")
    return clean(str(place))


def intervals(result: CheckResult) -> list[tuple[str, str]]:
    """Metric and words for each figure that is an interval, and how it was got."""
    return [
        (clean(name), f"between {show(finding.low)} and {show(finding.high)}; {clean(finding.basis)}")
        for name, finding in (result.findings or {}).items()
        for show in (finding.metric.show,)
        if isinstance(finding, Measurement)
        and finding.provenance is Provenance.PROJECTED
        and finding.low is not None
        and finding.high is not None
    ]


_TWO_DIGITS = 10  # percent
_LEAST = 0.1
_FACTOR = 9  # beyond ten times the bound a percentage no longer reads well


def margin(verdict: Verdict) -> str:
    """How far the figure is from its bound: `22% room`, `8% over`."""
    share = verdict.margin
    if share is None:
        return ""
    word = "room" if share >= 0 else "over" if verdict.metric.direction is Direction.AT_MOST else "under"
    if share <= -_FACTOR:
        return f"{1 - share:,.0f}x {word}"
    percent = abs(share) * 100
    if 0 < percent < _LEAST:
        return f"under {_LEAST}% {word}"
    return f"{percent:.{0 if percent >= _TWO_DIGITS else 1}f}% {word}"


def reason(verdict: Verdict) -> str:
    """Why it is no pass, where the columns do not say it already; empty for a pass."""
    if verdict.status is Status.PASS or verdict.reason == plainly_beyond(verdict):
        return ""
    return clean(verdict.reason)


def plainly_beyond(verdict: Verdict) -> str:
    """The reason that says no more than the figure, the bound and the margin beside it."""
    if verdict.found is None:
        return ""
    found, bound = show_pair(verdict.metric, verdict.found, verdict.bound)
    side = "over" if verdict.metric.direction is Direction.AT_MOST else "under"
    return f"{found} is {side} {bound}"


def provenance(verdict: Verdict) -> str:
    """`static`, `measured`, …; empty where there is no figure."""
    return verdict.finding.provenance.value if isinstance(verdict.finding, Measurement) else ""


def title(result: CheckResult) -> str:
    """The check in a line: model, variant, device and the target that showed it."""
    where = f" on {result.target}" if result.target else ", files only"
    return clean(f"{result.budget.model.path.name} · {result.variant} · {result.profile.name}{where}")


def details(result: CheckResult) -> str:
    """How the artifact was made and what ran it."""
    parts = []
    if result.artifact is not None:
        parts.append(f"{result.artifact.format}, {result.artifact.route}")
    if result.run is not None and result.run.runtime is not None:
        threads = result.budget.threads
        parts.append(f"ran on {result.run.runtime}, {threads} thread{'s' if threads > 1 else ''}")
    return clean("; ".join(parts))


def not_chosen(result: CheckResult) -> list[str]:
    """With `variants: auto`: why each of the other variants was not chosen; those alike in one line."""
    by_words: dict[str, list[str]] = {}
    for each in result.tried:
        by_words.setdefault(each.words, []).append(each.variant)
    return [clean(f"{', '.join(variants)}: {words}") for words, variants in by_words.items()]


def also_seen(result: CheckResult) -> str:
    """The figures that no limit asked for, each with its provenance; JSON has the other percentiles too."""
    limited = {verdict.metric.name for verdict in result.verdicts}
    seen: dict[Provenance, list[str]] = {}
    for name, finding in (result.findings or {}).items():
        if name not in limited and finding.metric.shown_by_default and isinstance(finding, Measurement):
            seen.setdefault(finding.provenance, []).append(f"{clean(name)} {finding.metric.show(finding.value)}")
    return "; ".join(f"{origin.value}: {', '.join(figures)}" for origin, figures in seen.items())


def sentence(report: Report) -> str:
    """The whole answer in one sentence."""
    counts = dict.fromkeys(Status, 0)
    for verdict in report.verdicts:
        if not verdict.ignored:
            counts[verdict.status] += 1
    total = sum(counts.values())
    many = f"{total} limit{'s' if total != 1 else ''} in {len(report.results)} check" + (
        "s" if len(report.results) != 1 else ""
    )
    if not total:
        return "Nothing was judged."
    parts = [
        f"{counts[status]} {words}"
        for status, words in (
            (Status.FAIL, "do not hold" if counts[Status.FAIL] != 1 else "does not hold"),
            (Status.UNKNOWN, "could not be decided"),
            (Status.WARN, "crossed a warning"),
        )
        if counts[status]
    ]
    return f"Of {many}, {', '.join(parts)}." if parts else f"Every limit holds: {many}."


def next_step(report: Report) -> str:
    """What to do about it; empty when there is nothing to do."""
    if not report.results:
        return ""
    if report.status is Status.FAIL:
        failed = next(verdict for verdict in report.verdicts if verdict.status is Status.FAIL)
        place = f" at {failed.limit.source}" if failed.limit.source.file else ""
        return clean(f"Next: make the model smaller or faster, or raise the limit{place}.")
    if report.status is Status.UNKNOWN:
        hints = [result.hint for result in report.results if result.hint]
        strangers = [
            result
            for result in report.results
            if any(v.status is Status.UNKNOWN and not v.ignored and v.found is not None for v in result.verdicts)
            and result.target
        ]
        if hints:
            return clean(f"Next: {hints[0]}")
        if strangers:
            device = strangers[0].profile.id
            emulated = "" if strangers[0].target == "qemu" else ", or on an emulated one: --target qemu"
            return f"Next: measure on the device itself: --target {device}=ssh://user@host{emulated}."
        return "Next: see the reasons above; --on-unknown warn lets undecided limits pass with a warning."
    return ""
