"""The sentences, rows and numbers that the formats of a profile share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgecheck.core.metrics import INSTRUCTIONS, SIZE
from edgecheck.core.operator_changes import Change, OperatorChange, OperatorChanges
from edgecheck.core.operator_groups import By, OperatorRow, rows
from edgecheck.core.operators import MICROSECOND, OF_THE_PROFILER, OperatorProfile
from edgecheck.core.text import clean
from edgecheck.core.units import Unit, show
from edgecheck.reports.profile import ProfileReport

#: What a row is, as a heading.
HEADINGS = {By.NODE: "operator", By.TYPE: "type", By.LAYER: "layer"}

REMAINDER = "(between the operators)"
PROFILED = "one inference with the profiler"
PROFILER = "(the profiler itself)"
INFERENCE = "one inference"

#: The share of an inference from which on what the profiler adds is a remark.
_MUCH = 0.02


def title(report: ProfileReport) -> str:
    """Model, variant, device and target, as in a check."""
    return clean(f"{report.model} · {report.variant} · {report.device} on {report.target}")


def how(report: ProfileReport) -> str:
    """Where the figures come from."""
    profile = report.profile
    threads = f"{report.threads} thread{'s' if report.threads > 1 else ''}"
    processes = f" in {profile.processes} processes" if profile.processes > 1 else ""
    inferences = f"{profile.inferences:,} inference{'s' if profile.inferences != 1 else ''}{processes}"
    return clean(f"{profile.provenance.value} with {profile.profiler}, {profile.runtime}, {threads}, {inferences}")


def whole(profile: OperatorProfile) -> str:
    """What one inference takes, with the profiler and without."""
    with_it = f"One inference takes {profile.show(profile.whole)} with the profiler on"
    if profile.plain is None or profile.plain <= 0:
        return f"{with_it}."
    change = profile.whole / profile.plain - 1
    return f"{with_it}, {profile.show(profile.plain)} without it ({100 * change:+.1f} %)."


def share(profile: OperatorProfile, seconds: float) -> str:
    """The part of one inference in percent."""
    return f"{100 * profile.share(seconds):.1f} %"


@dataclass(frozen=True, slots=True)
class Sum:
    """One of the last rows."""

    name: str
    seconds: float
    """Instructions where the profile counted those; negative for what is subtracted."""
    share: str
    """Of one inference with the profiler; empty for what is not a part of it."""


def sums(profile: OperatorProfile) -> list[Sum]:
    """The last rows, with their shares: what is not in an operator, and the sums with and without the profiler."""
    found = [
        Sum(REMAINDER, profile.remainder, share(profile, profile.remainder)),
        Sum(PROFILED, profile.whole, share(profile, profile.whole)),
    ]
    if profile.plain is not None and profile.overhead is not None:
        found += [Sum(PROFILER, -profile.overhead, ""), Sum(INFERENCE, profile.plain, "")]
    return found


def work(macs: int | None) -> str:
    """Multiply-accumulates; empty where they are not known."""
    return "" if macs is None else show(macs, Unit.COUNT)


def moved(count: int | None) -> str:
    """Bytes read and written; empty where they are not known."""
    return "" if count is None else SIZE.show(count)


def rate(row: OperatorRow) -> str:
    """Multiply-accumulates per nanosecond, or per instruction where the clock counts those; empty without work."""
    if not row.macs or row.seconds <= 0:
        return ""
    return f"{row.macs / (row.seconds * 1e9):.3g}"


def figure_heading(profile: OperatorProfile) -> str:
    """What the figures are."""
    return INSTRUCTIONS.name if profile.counted else "time"


def rate_heading(profile: OperatorProfile) -> str:
    """The unit of `rate`."""
    return "MAC/instr." if profile.counted else "MAC/ns"


def shown_rows(report: ProfileReport) -> tuple[tuple[OperatorRow, ...], OperatorRow | None]:
    """The rows to show, and the sum of the others."""
    every = rows(report.profile, report.by)
    if not report.top or len(every) <= report.top + 1:
        return every, None
    rest = every[report.top :]
    others = OperatorRow(
        name=f"({len(rest):,} others)",
        type="",
        provider="",
        seconds=math.fsum(row.seconds for row in rest),
        count=sum(row.count for row in rest),
        calls=sum(row.calls for row in rest),
        macs=None,
        bytes=None,
    )
    return every[: report.top], others


def detail(row: OperatorRow) -> str:
    """What else is known of an operator: its layer, its parts, its shape, how often it is executed."""
    pieces = []
    if row.slow:
        pieces.append("slow for its work")
    if row.layer and row.layer != row.name:
        pieces.append(f"layer {row.layer}")
    if row.parts:
        pieces.append(f"does the work of {', '.join(row.parts)}")
    if row.count == 1 and not math.isclose(row.calls, 1.0):
        pieces.append(f"executed {row.calls:.3g} times")
    elif row.count > 1:
        pieces.append(f"{row.count:,} operators")
    return clean("; ".join(pieces))


def notes(report: ProfileReport) -> list[str]:
    """What to know about the figures, a sentence each."""
    profile = report.profile
    found = list(profile.notes)
    if not profile.operators:
        found.append("The model has no operators that run in an inference.")
    if any(row.slow for row in shown_rows(report)[0]):
        found.append(
            "Slow for its work: a multiply-accumulate takes three times as long as in the model's median operator."
        )
    if not profile.counted and (short := sum(one.seconds < MICROSECOND for one in profile.operators)):
        found.append(
            f"{short:,} of {len(profile.operators):,} operators {'take' if short != 1 else 'takes'} less than a "
            "microsecond. That is the grain of the profiler's clock, which underestimates such times."
        )
    calls = math.fsum(one.calls for one in profile.operators)
    if profile.overhead is not None and profile.overhead > _MUCH * profile.whole and calls:
        found.append(
            f"The profiler adds {profile.show(profile.overhead)} to the inference, about "
            f"{profile.show(profile.overhead / calls)} for each operator: part of that is in the figures of the "
            "operators, the rest between them."
        )
        if profile.is_of_the_profiler:
            found.append(OF_THE_PROFILER)
    if profile.overhead is not None and profile.overhead < -_MUCH * profile.whole and calls:
        found.append(
            "The inference was quicker with the profiler than without it: the figures vary by more than the profiler "
            "adds. For steadier figures, use a quieter machine."
        )
    if profile.counted:
        found.append("Emulated figures are instructions, counted to the nearest thousand.")
    return [clean(note) for note in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """A row of the changes, in words."""

    name: str
    type: str
    change: str
    old: str
    new: str
    delta: str
    detail: str


def changes(report: ProfileReport, found: OperatorChanges) -> list[ChangeLine]:
    """The changes, the largest first; the rest is summed, and the last line is what is outside the operators."""
    changed = [each for each in found.changes if each.change is not Change.SAME]
    top = report.top or len(changed)
    kept = changed if len(changed) <= top + 1 else changed[:top]
    profile = found.new
    lines = [_change_line(each, profile) for each in kept]
    kept_set = set(map(id, kept))
    rest = [each for each in found.changes if id(each) not in kept_set]
    if rest:
        lines.append(
            _sum_line(
                f"({len(rest):,} other{'s' if len(rest) != 1 else ''})",
                [(each.old, each.new) for each in rest],
                profile,
            )
        )
    lines.append(_sum_line(REMAINDER, [(found.old.remainder, found.new.remainder)], profile))
    lines.append(_sum_line(PROFILED, [(found.old.whole, found.new.whole)], profile))
    return lines


def _change_line(each: OperatorChange, profile: OperatorProfile) -> ChangeLine:
    half = f" ± {profile.show(each.uncertainty)}" if each.uncertainty else ""
    name = f"{each.name} (was {each.was})" if each.was else each.name
    return ChangeLine(
        name=clean(name),
        type=clean(each.type),
        change=each.change.value,
        old=profile.show(each.old) if each.change is not Change.APPEARED else "",
        new=profile.show(each.new) if each.change is not Change.VANISHED else "",
        delta=f"{signed(profile, each.delta)}{half}",
        detail=clean(each.detail),
    )


def _sum_line(name: str, pairs: Sequence[tuple[float, float]], profile: OperatorProfile) -> ChangeLine:
    old, new = (math.fsum(each) for each in zip(*pairs, strict=True))
    shown = [f"{'-' if each < 0 else ''}{profile.show(abs(each))}" for each in (old, new)]
    return ChangeLine(
        name=name, type="", change="", old=shown[0], new=shown[1], delta=signed(profile, new - old), detail=""
    )


def signed(profile: OperatorProfile, delta: float) -> str:
    """A difference with its sign."""
    sign = "+" if delta > 0 else "-" if delta < 0 else "±"
    return f"{sign}{profile.show(abs(delta))}"


def verdict(report: ProfileReport, found: OperatorChanges) -> str:
    """The difference of the inferences in a sentence: of those that the profiler saw, as in the rows."""
    profile = found.new
    old, new = profile.show(found.old.whole), profile.show(found.new.whole)
    percent = f" ({100 * found.delta / found.old.whole:+.1f} %)" if found.old.whole > 0 else ""
    return clean(f"{report.model} against {report.old}: {old} → {new}{percent}, with the profiler on.")


def unchanged(found: OperatorChanges) -> str:
    """How many operators take what they took, as far as that is certain; empty if none."""
    count = sum(each.change is Change.SAME for each in found.changes)
    if not count:
        return ""
    of = "within six thousand instructions" if found.new.counted else "within the uncertainty of the measurement"
    return f"{count:,} operator{'s take' if count != 1 else ' takes'} as much as before, {of}."
