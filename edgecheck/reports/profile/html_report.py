"""The profile of a model's operators as one HTML file that fetches nothing and needs no script."""

from __future__ import annotations

from dataclasses import dataclass

from edgecheck.core.operator_groups import By, OperatorRow, rows
from edgecheck.core.text import clean
from edgecheck.reports import pages
from edgecheck.reports.profile import ProfileReport, flame, words

#: Rows of the table; the rest is summed up, so that a browser can hold the page.
MOST_ROWS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A row of the table."""

    anchor: str
    time: str
    share: str
    part: float
    """Of the longest row, from 0 to 1: how much of the bar is filled."""
    name: str
    type: str
    provider: str
    macs: str
    rate: str
    bytes: str
    detail: str
    slow: bool


def render(report: ProfileReport) -> str:
    """The report as one HTML page: a picture, a table of every operator, and what grew."""
    picture = flame.flame(report.profile)
    lines, left = _lines(report)
    return pages.template("profile.html").render(
        words=words,
        title=clean(report.model),
        report=report,
        profile=report.profile,
        flame=picture,
        canvas=flame,
        looks={name: text for name, text in flame.LOOKS.items() if any(b.look == name for b in picture.blocks)},
        lines=lines,
        left=left,
        changes=words.changes(report, report.changes) if report.changes is not None else [],
        outside=[
            (name, words.signed(report.profile, seconds).lstrip("+±"), share)
            for name, seconds, share in words.sums(report.profile)
        ],
        look=pages.text("report.css") + pages.text("profile.css"),
        linked=report.by is By.NODE,
    )


def _lines(report: ProfileReport) -> tuple[list[_Line], int]:
    """The rows, and how many are left out."""
    found = rows(report.profile, report.by)
    places = _places(report)
    longest = max((row.seconds for row in found), default=0.0)
    kept = found[:MOST_ROWS]
    return [_line(report, row, places[at], longest) for at, row in enumerate(kept)], len(found) - len(kept)


def _places(report: ProfileReport) -> list[str]:
    """The anchors of the rows: those of operators, to which the picture's blocks link."""
    order = sorted(range(len(report.profile.operators)), key=lambda at: -report.profile.operators[at].seconds)
    if report.by is By.NODE:
        return [f"operator-{at}" for at in order]
    return [f"row-{at}" for at in range(len(report.profile.operators) + 1)]


def _line(report: ProfileReport, row: OperatorRow, anchor: str, longest: float) -> _Line:
    profile = report.profile
    return _Line(
        anchor=anchor,
        time=profile.show(row.seconds),
        share=words.share(profile, row.seconds),
        part=row.seconds / longest if longest > 0 else 0.0,
        name=clean(row.name),
        type=clean(row.type),
        provider=clean(row.provider),
        macs=words.work(row.macs),
        rate=words.rate(row),
        bytes=words.moved(row.bytes),
        detail=words.detail(row),
        slow=row.slow,
    )
