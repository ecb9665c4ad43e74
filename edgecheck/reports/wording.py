"""The sentences that every report words alike, free of characters that could steer a terminal or mislead a reader.

From small to large: one limit, one check, the report. Names of files, models and devices, and messages of other
programs, pass through `clean` on their way into a report: they can hold anything that a system allows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import PurePath

from edgecheck.core import sayings, text
from edgecheck.core.address import is_a_device, is_emulated, on_an_emulated_one, on_the_device
from edgecheck.core.command_line import check_command
from edgecheck.core.device import Identity
from edgecheck.core.device_match import MEASURED_ON
from edgecheck.core.finding import Measurement
from edgecheck.core.limits import SUFFIX
from edgecheck.core.measurement import NOT_ACCELERATED
from edgecheck.core.metrics import LOAD_TIME, Direction, Family, Provenance
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.run import Outcome
from edgecheck.core.verdict import COUNTED_AS_WARNING, Status, Verdict, show_pair
from edgecheck.reports.conditions import found_at, left_at, ran_on

#: The core's: anatomy's tiles are made of the same text.
clean = text.clean

#: Characters of one message in a table; a compiler's error can be longer than the report around it.
LONGEST = 400


def shortened(text: str, most: int = LONGEST) -> str:
    """The first `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


# One limit.


def line(verdict: Verdict) -> str:
    """Metric, figure, its time, bound and margin: `latency_p50 55 ms over 9.50 s, limit ≤ 50 ms, 10% over`."""
    found, bound = found_and_bound(verdict)
    figure = f"{found}{over(verdict)}" if found else "without a figure"
    limit = f"limit {bound}" if bound else ""
    parts = (f"{clean(verdict.metric.name)} {figure}", limit, margin(verdict))
    return ", ".join(part for part in parts if part)


def explained(verdict: Verdict) -> str:
    """The line, and the reason where the line does not already say it."""
    why = reason(verdict)
    return f"{line(verdict)}: {why}" if why else line(verdict)


def found_and_bound(verdict: Verdict) -> tuple[str, str]:
    """The figure (empty without one) and the bound with its sign."""
    sign = "≤" if verdict.metric.direction is Direction.AT_MOST else "≥"
    if verdict.found is None or _has_no_bound(verdict):
        found = verdict.metric.show(verdict.found) if verdict.found is not None else ""
        return found, "" if _has_no_bound(verdict) else f"{sign} {verdict.metric.show(verdict.bound)}"
    found, bound = show_pair(verdict.metric, verdict.found, verdict.bound)
    return found, f"{sign} {bound}"


def _has_no_bound(verdict: Verdict) -> bool:
    """Whether it is about growth from a baseline that has no figure."""
    is_growth = verdict.metric.name.endswith(SUFFIX)
    return is_growth and verdict.baseline is None and verdict.status is Status.UNKNOWN and verdict.bound == 0


def base_and_head(verdict: Verdict) -> tuple[str, str]:
    """The baseline's figure and this one, in one unit where they can be; empty where there is none."""
    if verdict.found is None or verdict.baseline is None or math.isnan(verdict.baseline.value):
        return "", verdict.metric.show(verdict.found) if verdict.found is not None else ""
    return show_pair(verdict.metric, verdict.baseline.value, verdict.found)


def change(verdict: Verdict) -> str:
    """How much the figure differs from the baseline's: `+165%`, `-8.2%`, `±0%`; empty without the two."""
    share = share_of_change(verdict)
    if share is None:
        return ""
    percent = abs(share) * 100
    if not percent:
        return "±0%"
    sign = "+" if share > 0 else "-"
    if percent < _LEAST:
        return f"{sign}under {_LEAST}%"
    return f"{sign}{percent:,.{0 if percent >= _TWO_DIGITS else 1}f}%"


def share_of_change(verdict: Verdict) -> float | None:
    """The difference from the baseline as a share of it; None without both figures, or from zero."""
    if verdict.found is None or verdict.baseline is None or not verdict.baseline.value:
        return None
    share = (verdict.found - verdict.baseline.value) / verdict.baseline.value
    return share if math.isfinite(share) else None


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
    """Why the limit does not pass, where figure, bound and margin do not already say it; empty for a pass."""
    if verdict.status is Status.PASS or verdict.reason == _plainly_beyond(verdict):
        return ""
    return clean(verdict.reason)


def _plainly_beyond(verdict: Verdict) -> str:
    """The reason that says no more than figure, bound and margin do."""
    if verdict.found is None:
        return ""
    found, bound = show_pair(verdict.metric, verdict.found, verdict.bound)
    side = "over" if verdict.metric.direction is Direction.AT_MOST else "under"
    return f"{found} is {side} {bound}"


def provenance(verdict: Verdict) -> str:
    """`static`, `measured`, …; empty without a figure."""
    return verdict.finding.provenance.value if isinstance(verdict.finding, Measurement) else ""


def over(verdict: Verdict) -> str:
    """The time that the verdict on a latency is about: ` over 9.50 s`; empty for others."""
    span = verdict.finding.span if isinstance(verdict.finding, Measurement) else None
    return f" over {LOAD_TIME.show(span)}" if span else ""


def origin(verdict: Verdict) -> str:
    """How the figure was obtained: provenance and basis; empty without a figure."""
    basis = getattr(verdict.finding, "basis", "")
    return clean(", ".join(part for part in (provenance(verdict), basis) if part))


def source(verdict: Verdict) -> str:
    """Where the limit was written; without a profile's folder, which `edgecheck devices show` prints."""
    place = verdict.limit.source
    if place.kind == "profile" and place.file:
        return clean(f"{PurePath(place.file).name}:{place.line}")
    return clean(str(place))


def counts_against(verdict: Verdict) -> bool:
    """Whether the limit does not pass and is not ignored."""
    return verdict.status is not Status.PASS and not verdict.ignored


# One check.

#: Reported for a check that has no limits.
NOTHING_JUDGED = "no limit is set for it, so nothing was judged"


def title(result: CheckResult) -> str:
    """The check in a line: model, variant, device and target."""
    where = f" on {result.target}" if result.target else ", files only"
    return clean(f"{result.budget.model.path.name} · {result.variant} · {result.profile.name}{where}")


def details(result: CheckResult) -> str:
    """How the artifact was made, and what ran it."""
    parts = []
    if result.artifact is not None:
        parts.append(f"{result.artifact.format}, {result.artifact.route}")
    if result.run is not None and result.run.runtime is not None:
        parts += ran_on(result.run, result)
        if is_a_device(result.target):
            parts += [*found_at(result.run.before), *left_at(result.run.after)]
    return clean("; ".join(parts))


def time_spoken_for(result: CheckResult) -> str:
    """How long the latencies that have limits were measured, which their verdicts are about; empty without any."""
    spans = {span for verdict in result.verdicts if (span := over(verdict))}
    return f"latencies: measured{max(spans)}, which is the time that their verdicts are about" if spans else ""


def problem(result: CheckResult) -> str:
    """Why there is no artifact or no run, and what to do; or that nothing was judged; empty if neither applies."""
    found = clean(f"{result.problem} {result.hint}".strip())
    return found or ("" if result.verdicts else NOTHING_JUDGED)


def not_chosen(result: CheckResult) -> list[str]:
    """With `variants: auto`: why each other variant was not chosen; variants with the same reason share a line."""
    by_words: dict[str, list[str]] = {}
    for each in result.tried:
        by_words.setdefault(each.words, []).append(each.variant)
    return [clean(f"{', '.join(variants)}: {words}") for words, variants in by_words.items()]


def intervals(result: CheckResult) -> list[tuple[str, str]]:
    """Metric, and interval and basis in words, for each figure that is projected."""
    return [
        (clean(name), f"between {show(finding.low)} and {show(finding.high)}; {clean(finding.basis)}")
        for name, finding in (result.findings or {}).items()
        for show in (finding.metric.show,)
        if isinstance(finding, Measurement)
        and finding.provenance is Provenance.PROJECTED
        and finding.low is not None
        and finding.high is not None
    ]


def not_limited(result: CheckResult) -> str:
    """The figures without a limit, by provenance; JSON has the less common percentiles too."""
    limited = {verdict.metric.name for verdict in result.verdicts}
    figures: dict[Provenance, list[str]] = {}
    for name, finding in (result.findings or {}).items():
        if name not in limited and finding.metric.shown_by_default and isinstance(finding, Measurement):
            figures.setdefault(finding.provenance, []).append(f"{clean(name)} {finding.metric.show(finding.value)}")
    return "; ".join(f"{origin.value}: {', '.join(each)}" for origin, each in figures.items())


# The report.


def sentence(report: Report) -> str:
    """The result of all checks in one sentence."""
    counts = dict.fromkeys(Status, 0)
    undecided = 0
    for verdict in report.verdicts:
        if not verdict.ignored:
            counts[verdict.status] += 1
            undecided += verdict.status is Status.WARN and verdict.reason.endswith(COUNTED_AS_WARNING)
    total = sum(counts.values())
    if not total:
        return "Nothing was judged."
    checks = len(report.results)
    many = f"{total} limit{'s' if total != 1 else ''} in {checks} check{'s' if checks != 1 else ''}"
    parts = [
        f"{count} {words}"
        for count, words in (
            (counts[Status.FAIL], "do not hold" if counts[Status.FAIL] != 1 else "does not hold"),
            (counts[Status.UNKNOWN], "could not be decided"),
            (counts[Status.WARN] - undecided, "crossed a warning"),
            (undecided, "could not be decided and only warn" + ("s" if undecided == 1 else "")),
        )
        if count
    ]
    return f"Of {many}, {', '.join(parts)}." if parts else f"Every limit holds: {many}."


#: The order of statuses, the worst first.
WORST_FIRST = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.PASS)


def worst_first(verdicts: Iterable[tuple[Verdict, CheckResult]]) -> list[tuple[Verdict, CheckResult]]:
    """By status, then by how far each is beyond its bound."""

    def rank(pair: tuple[Verdict, CheckResult]) -> tuple[int, float]:
        margin = pair[0].margin
        return WORST_FIRST.index(pair[0].status), 0.0 if margin is None or math.isnan(margin) else margin

    return sorted(verdicts, key=rank)


def status_line(report: Report) -> str:
    """The result in a few words, with the change that matters most: `size 2.07 → 5.48 MB, 4 limits do not hold`."""
    every = [(verdict, result) for result in report.results for verdict in result.verdicts if not verdict.ignored]
    changed = [pair for pair in every if share_of_change(pair[0])]
    if not changed:
        return sentence(report)
    against = worst_first(pair for pair in every if counts_against(pair[0]))
    # Of what does not hold, what has changed; else the largest change, one that is exact before one that is measured.
    largest = sorted(changed, key=lambda pair: (_is_measured(pair[0]), -abs(share_of_change(pair[0]) or 0)))
    first = next((pair for pair in against if pair in changed), (against or largest)[0])
    verdict = first[0]
    base, head = base_and_head(verdict)
    if base in ("", head):
        return f"{clean(verdict.metric.name)} {head}, {_counted(report)}" if head else sentence(report)
    before, _, unit = base.partition(" ")
    shown = f"{before} → {head}" if unit and head.endswith(f" {unit}") else f"{base} → {head}"
    return f"{clean(verdict.metric.name.removesuffix(SUFFIX))} {shown}, {_counted(report)}"


def _is_measured(verdict: Verdict) -> bool:
    return isinstance(verdict.finding, Measurement) and verdict.finding.provenance is Provenance.MEASURED


def _counted(report: Report) -> str:
    for status, one, several in (
        (Status.FAIL, "limit does not hold", "limits do not hold"),
        (Status.UNKNOWN, "limit could not be decided", "limits could not be decided"),
        (Status.WARN, "limit warns", "limits warn"),
    ):
        count = sum(verdict.status is status and not verdict.ignored for verdict in report.verdicts)
        if count:
            return f"{count:,} {one if count == 1 else several}"
    return "every limit holds"


def next_step(report: Report) -> str:
    """What to do about it; empty when there is nothing to do."""
    if not report.results:
        return ""
    if report.status is Status.FAIL:
        failed = next(verdict for verdict in report.verdicts if verdict.status is Status.FAIL)
        place = f" at {failed.limit.source}" if failed.limit.source.file else ""
        if failed.found is None and (failed.reason.startswith("refused by the runtime") or _is_not_accelerated(report)):
            return f"Next: {about_refusal(report.results)}"
        limit = "allow more growth" if failed.metric.name.endswith(SUFFIX) else _LIMIT[failed.metric.direction]
        way = _WAYS[failed.metric.direction]
        if failed.metric.family is Family.PLACEMENT:
            way = "replace the operators that the accelerator leaves behind"
        return clean(f"Next: {way}, or {limit}{place}.")
    return _decide(report) if report.status is Status.UNKNOWN else ""


_WAYS = {
    Direction.AT_MOST: "make the model smaller or faster",
    Direction.AT_LEAST: "choose a variant that loses less",
}
_LIMIT = {Direction.AT_MOST: "raise the limit", Direction.AT_LEAST: "lower the limit"}


def _is_not_accelerated(report: Report) -> bool:
    """Whether a run was to use an accelerator and did not."""
    workers = (worker for result in report.results if result.run is not None for worker in result.run.workers)
    return any(worker.ending.reason in NOT_ACCELERATED for worker in workers)


def about_refusal(results: Iterable[CheckResult]) -> str:
    """What to do about the first model that a runtime refused."""
    workers = (worker for result in results if result.run is not None for worker in result.run.workers)
    refused = (worker.ending.reason for worker in workers if worker.ending.outcome is Outcome.REFUSED)
    step = next(filter(None, map(sayings.next_step, refused)), "")
    return (
        f"{step[:1].lower()}{step[1:]}"
        if step
        else ("give a model that this runtime takes; the reason above says what it does not.")
    )


def _decide(report: Report) -> str:
    """How limits that could not be decided can be."""
    for result in report.results:
        if result.hint:
            return clean(f"Next: {result.hint}")
    for result in report.results:
        if result.run is not None and result.run.broken:
            return clean(f"Next: run it again: {again(result)}")
    for result in report.results:
        if result.target and any(_is_of_another_device(verdict) for verdict in result.verdicts):
            return clean(f"Next: {where_to_measure(result)}")
    return "Next: see the reasons above; --on-unknown warn lets undecided limits pass with a warning."


def again(result: CheckResult) -> str:
    """The command that does the check again."""
    limits = [verdict.limit for verdict in result.verdicts]
    return check_command(result.budget, result.profile, target=result.target, variant=result.variant, limits=limits)


def where_to_measure(result: CheckResult) -> str:
    """What to do about figures of another device than the profile's, as a sentence."""
    profile = result.profile
    emulated = f", or on an emulated one: {on_an_emulated_one()}" if profile.emulation_cpu else ""
    if is_emulated(result.target):
        emulated = ""
    if not is_a_device(result.target):
        return f"measure on the device itself: {on_the_device(profile.id)}{emulated}."
    save = f"edgecheck devices probe --save my-board {result.target}"
    state = result.run.before if result.run is not None else None
    if profile.identity == Identity() and state is not None and profile.path and (state.model or state.machine_id):
        key, value = ("model", state.model) if state.model else ("machine_id", state.machine_id)
        return f"write `identity: {{{key}: {json.dumps(value)}}}` into {profile.path}, if that is the device."
    called = f" calls itself {state.model}" if state is not None and state.model else f" is not a {profile.name}"
    return f"{result.target}{called}: name its profile with --device, or save one: {save}{emulated}"


def _is_of_another_device(verdict: Verdict) -> bool:
    """Whether there is a figure and it decides nothing since it was measured on another device."""
    undecided = verdict.status is Status.UNKNOWN and not verdict.ignored and verdict.found is not None
    return undecided and verdict.reason.startswith(MEASURED_ON)
