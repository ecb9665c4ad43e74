"""The profile of a model's operators as one HTML file without scripts: a flame-like picture and a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edgecheck.core.operator_groups import By, OperatorRow, rows
from edgecheck.core.operators import Operator, OperatorProfile
from edgecheck.core.text import clean
from edgecheck.reports import pages
from edgecheck.reports.profile import ProfileReport, words

# The flame-like picture: one inference on top, below it layers by their path, below them operators. The width of a
# block is what it takes. Blocks have the order of execution from left to right, as far as one layer's operators follow
# one another.

#: The picture: its width, the height of a row, and the narrowest block that is drawn.
WIDTH, ROW, NARROWEST = 1000.0, 22.0, 0.8

#: Levels of a layer's path, and blocks; more would be too much for a browser. The table has every operator.
_DEEPEST, _MOST = 8, 2000

#: The width of a character at most, and the narrowest label.
_CHARACTER, _LABEL = 6.6, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One rectangle."""

    x: float
    y: float
    width: float
    label: str
    """Its label; empty where it does not fit."""
    words: str
    """Name, time and share, for a screen reader and under the mouse."""
    operator: int
    """The position of the operator; -1 for a layer."""
    look: str
    """Its CSS class, by the kind of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flame:
    """The blocks, parents before their children, and the height that they take."""

    blocks: tuple[Block, ...]
    height: float
    left_out: int
    """Operators that are too narrow to be drawn."""


@dataclass(slots=True)
class _Node:
    name: str
    own: float = 0.0
    operator: int = -1
    children: dict[object, _Node] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return self.own + math.fsum(child.total for child in self.children.values())


def flame(profile: OperatorProfile) -> Flame:
    """The picture of one inference."""
    root = _Node("one inference", own=max(0.0, profile.remainder))
    places: list[_Node] = []
    for at, one in enumerate(profile.operators):
        parent = places[one.inside] if 0 <= one.inside < len(places) else _layer(root, one)
        node = parent.children[at] = _Node(one.name, own=one.seconds, operator=at)
        places.append(node)
    blocks: list[Block] = []
    scale = WIDTH / root.total if root.total > 0 else 0.0
    _draw(blocks, profile, root, (0.0, 0.0, scale))
    drawn = sum(block.operator >= 0 for block in blocks)
    height = max((block.y for block in blocks), default=0.0) + ROW
    return Flame(blocks=tuple(blocks), height=height, left_out=len(profile.operators) - drawn)


def _layer(root: _Node, one: Operator) -> _Node:
    """The node of the operator's layer, made where it is missing."""
    node = root
    for part in [part for part in one.layer.split("/") if part][:_DEEPEST]:
        node = node.children.setdefault(part, _Node(part))
    return node


def _draw(blocks: list[Block], profile: OperatorProfile, node: _Node, place: tuple[float, float, float]) -> None:
    """Draw a node at (x, y) with a scale in units per second, then its children from left to right."""
    x, y, scale = place
    width = node.total * scale
    if width < NARROWEST or len(blocks) >= _MOST:
        return
    blocks.append(_block(profile, node, (x, y, width)))
    for child in node.children.values():
        _draw(blocks, profile, child, (x, y + ROW, scale))
        x += child.total * scale


def _block(profile: OperatorProfile, node: _Node, place: tuple[float, float, float]) -> Block:
    x, y, width = place
    total = node.total
    name = clean(node.name)
    words = f"{name}: {profile.show(total)}, {100 * profile.share(total):.1f} %"
    look = "layer"
    if node.operator >= 0:
        one = profile.operators[node.operator]
        words, look = f"{words}, {clean(one.type)}", _look(one)
    room = int((width - 6) / _CHARACTER)
    label = name if len(name) <= room else f"{name[: max(0, room - 1)]}…"
    return Block(
        x=round(x, 2),
        y=y,
        width=round(width, 2),
        label=label if width >= _LABEL else "",
        words=words,
        operator=node.operator,
        look=look,
    )


#: CSS class and legend of each kind of operator.
LOOKS = {
    "layer": "layers of the model",
    "work": "operators with multiply-accumulates",
    "other": "other operators",
    "added": "operators that the runtime added",
}


def _look(one: Operator) -> str:
    if one.macs:
        return "work"
    return "added" if one.type in ("ReorderInput", "ReorderOutput") or one.type.startswith("Copy") else "other"


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
    picture = flame(report.profile)
    lines, left = _lines(report)
    return pages.template("profile.html").render(
        words=words,
        title=clean(report.model),
        report=report,
        profile=report.profile,
        flame=picture,
        width=WIDTH,
        row=ROW,
        looks={name: text for name, text in LOOKS.items() if any(b.look == name for b in picture.blocks)},
        lines=lines,
        left=left,
        changes=words.changes(report, report.changes) if report.changes is not None else [],
        outside=[
            (last.name, words.signed(report.profile, last.seconds).lstrip("+±"), last.share)
            for last in words.sums(report.profile)
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
