"""Tightens the limits in a budget file to results, and changes no other byte of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

from edgecheck.config.files import read_text, shown_path
from edgecheck.config.problems import path_text
from edgecheck.config.tree import MappingNode, Mark, Node, Scalar, child
from edgecheck.config.yaml_reader import read_tree
from edgecheck.core.finding import Measurement
from edgecheck.core.limits import SUFFIX
from edgecheck.core.metrics import Direction, Metric
from edgecheck.core.report import Report
from edgecheck.core.units import NUMBER, SUFFIXES, parse
from edgecheck.core.verdict import Status, Verdict

#: A limit as it is written: an anchor or a tag, a quote, the number, a space, the unit.
_WRITTEN = re.compile(rf"((?:[&!]\S*\s+)*)(['\"]?)\s*\+?({NUMBER})(\s*)([^\W\d_]*|%)\s*\2")
#: Significant digits of a new limit.
_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One changed value."""

    line: int
    #: `limits.size` or `devices.raspberry-pi-5.size`.
    key: str
    #: As in the file, with its unit.
    old: str
    new: str
    #: The worst figure, and the room that the new limit leaves: `found 1.56 MB, 5.1% room`.
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratcheted:
    """A file before and after."""

    before: str
    after: str
    changes: tuple[Change, ...]
    #: A sentence for each limit that its results kept from being tightened; limits that are tight already have none.
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A limit in the file, and one verdict on it."""

    key: str
    mark: Mark
    verdict: Verdict
    warn: Mark | None = None
    """Where its warning is written, if it has one."""


def ratcheted(path: Path, report: Report, headroom: float) -> Ratcheted:
    """The budget in `path` with each error bound at what `report` found plus a share of headroom.

    A limit is never loosened. It is tightened only if every verdict on it is decided and passes; of several variants
    and devices the worst counts. Where it would get tighter than its own warning, both move by the same factor, so that
    the warning is what has the headroom.

    Raises:
        RefusedError: the file is not valid YAML.
    """
    text = read_text(path)
    root = read_tree(text, shown_path(path))
    groups: dict[tuple[int, int], list[_Judged]] = {}
    kept: list[str] = []
    for seen in _verdicts(root, shown_path(path), report, kept):
        groups.setdefault((seen.mark.start, seen.mark.end), []).append(seen)
    edits: dict[Mark, Change] = {}
    least: dict[str, float] = {}
    for group in sorted(groups.values(), key=lambda group: group[0].verdict.metric.quantile or 0.0):
        for mark, new in _tightened(text, group, _bound(group, headroom, least), kept):
            key = group[0].key if mark == group[0].mark else f"{group[0].key}.warn"
            old = text[mark.start : mark.end]
            edits[mark] = Change(line=mark.place.line, key=key, old=old, new=new, about=_about(group, new))
    after = text
    for mark in sorted(edits, key=lambda mark: mark.start, reverse=True):
        after = after[: mark.start] + edits[mark].new + after[mark.end :]
    changes = tuple(edits[mark] for mark in sorted(edits, key=lambda mark: mark.start))
    return Ratcheted(before=text, after=after, changes=changes, kept=tuple(dict.fromkeys(kept)))


def _verdicts(root: Node, file: str, report: Report, kept: list[str]) -> Iterator[_Judged]:
    """The verdicts on limits that are written in `file`, whichever budget has them from there."""
    for result in report.results:
        for verdict in result.verdicts:
            if verdict.limit.source.kind != "budget" or verdict.limit.source.file != file:
                continue
            if verdict.metric.name.endswith(SUFFIX):  # a rule on growth moves with its baseline
                continue
            found = _place(root, result.profile.id, verdict)
            if found is None or (isinstance(found.value, Scalar) and not _is_as_checked(found.value, verdict)):
                name = verdict.metric.name
                kept.append(f"{file}:{verdict.limit.source.line}: {name}: the budget has changed since the check")
            elif isinstance(found.value, Scalar):
                yield _Judged(found.path, found.value.mark, verdict, found.warning)


def _is_as_checked(node: Scalar, verdict: Verdict) -> bool:
    try:
        return parse(node.value, verdict.metric.unit) == verdict.limit.error
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Written:
    """A limit as a budget has it."""

    path: str
    value: Node
    warning: Mark | None
    """Where its warning is; None without one."""


def _place(root: Node, device: str, verdict: Verdict) -> _Written | None:
    """The limit that holds on `device`; None if the file does not have it any more."""
    name = verdict.metric.name
    for parts in (("devices", device), ("limits",)):
        section = _inside(root, parts)
        entry = section.entries.get(name) if isinstance(section, MappingNode) else None
        if entry is None:
            continue
        if entry.key.place.line != verdict.limit.source.line:
            return None
        value = child(entry.node, "error") if isinstance(entry.node, MappingNode) else entry.node
        warn = child(entry.node, "warn") if isinstance(entry.node, MappingNode) else None
        mark = warn.mark if isinstance(warn, Scalar) else None
        return _Written(path_text([*parts, name]), value if value is not None else entry.node, mark)
    return None


def _inside(root: Node, parts: Iterable[str]) -> Node | None:
    node: Node | None = root
    for part in parts:
        node = child(node, part) if node is not None else None
    return node


def _bound(group: list[_Judged], headroom: float, least: dict[str, float]) -> float:
    """The worst figure with the headroom, in base units; NaN if there is none.

    `least` has the bound of a lower percentile by section, and is updated: a higher one's does not come below it.
    """
    metric = group[0].verdict.metric
    reached = [_reached(seen.verdict) for seen in group]
    bound = max(reached) * (1 + headroom) if metric.direction is Direction.AT_MOST else min(reached) * (1 - headroom)
    if metric.quantile is not None and math.isfinite(bound):
        section = group[0].key.rpartition(".")[0]
        bound = least[section] = max(bound, least.get(section, 0.0))
    return bound


def _tightened(text: str, group: list[_Judged], bound: float, kept: list[str]) -> list[tuple[Mark, str]]:
    """The new values of a limit, and of its warning, at their places in `text`; none if the limit stays as it is."""
    first = group[0].verdict
    metric, place = first.metric, f"{group[0].mark.place.file}:{group[0].mark.place.line}: {group[0].key}"
    against = [seen.verdict for seen in group if seen.verdict.status not in (Status.PASS, Status.WARN)]
    if against:
        kept.append(f"{place}: a result is {against[0].status.value}")
        return []
    at_most = metric.direction is Direction.AT_MOST
    current, warn = first.limit.error, first.limit.warn
    if current is None or not math.isfinite(bound):
        return []
    new = {group[0].mark: (current, bound)}
    if warn and group[0].warn is not None and (bound <= warn if at_most else bound >= warn):
        new = {group[0].mark: (current, current * bound / warn), group[0].warn: (warn, bound)}
    try:
        return [edit for mark, values in new.items() if (edit := _edit(text, mark, *values, metric)) is not None]
    except ValueError as error:
        kept.append(f"{place}: {error}")
        return []


def _edit(text: str, mark: Mark, current: float, bound: float, metric: Metric) -> tuple[Mark, str] | None:
    """`bound` at its place; None where it is not tighter than what is written there.

    Raises:
        ValueError: what is written there is not a number with a unit.
    """
    if bound >= current if metric.direction is Direction.AT_MOST else bound <= current:
        return None
    old = text[mark.start : mark.end]
    new = rewritten(old, bound, metric)
    return None if rewritten(old, current, metric) == new else (mark, new)


def _about(group: list[_Judged], new: str) -> str:
    """The worst figure, and the room that the new limit really leaves beyond it, its interval and rounding included."""
    metric = group[0].verdict.metric
    figures = [seen.verdict.found for seen in group if seen.verdict.found is not None]
    worst = max(figures) if metric.direction is Direction.AT_MOST else min(figures)
    match = _WRITTEN.fullmatch(new)
    bound = parse(f"{match[3]}{match[4]}{match[5]}", metric.unit) if match else math.nan
    room = f", {abs(bound - worst) / worst:.1%} room" if worst and math.isfinite(bound) else ""
    return f"found {metric.show(worst)}{room}"


def _reached(verdict: Verdict) -> float:
    """The end of the figure's interval that decides a verdict; NaN without a figure."""
    finding = verdict.finding
    if not isinstance(finding, Measurement):
        return math.nan
    end = finding.high if verdict.metric.direction is Direction.AT_MOST else finding.low
    return finding.value if end is None else end


def rewritten(old: str, value: float, metric: Metric) -> str:
    """`value` (in base units) written as `old` is: with its quotes, spacing and unit, to three digits.

    Raises:
        ValueError: `old` is not a number with a unit.
    """
    match = _WRITTEN.fullmatch(old)
    if match is None:
        raise ValueError(f"{old!r} is not a number with a unit")
    before, quote, number, space, unit = match.groups()
    factor = SUFFIXES[metric.unit][unit.replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")]
    digits = _rounded(Decimal(repr(value)) / Decimal(str(factor)), metric)
    return f"{before}{quote}{_grouped(digits) if '_' in number else digits}{space}{unit}{quote}"


def _rounded(number: Decimal, metric: Metric) -> str:
    """Three digits, rounded away from the figure, which still passes: up for an upper bound, down for a lower."""
    away = ROUND_CEILING if metric.direction is Direction.AT_MOST else ROUND_FLOOR
    if number:
        number = number.quantize(Decimal(1).scaleb(number.adjusted() - _DIGITS + 1), rounding=away)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _grouped(digits: str) -> str:
    whole, dot, rest = digits.partition(".")
    return f"{int(whole):_}{dot}{rest}"
