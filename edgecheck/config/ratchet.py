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


def ratcheted(path: Path, report: Report, headroom: float) -> Ratcheted:
    """The budget in `path` with each error bound at what `report` found plus a share of headroom.

    A limit is never loosened. It is tightened only if every verdict on it is decided and passes; of several variants
    and devices the worst counts. It does not get tighter than its own warning.

    Raises:
        RefusedError: the file is not valid YAML.
    """
    text = read_text(path)
    root = read_tree(text, shown_path(path))
    groups: dict[tuple[int, int], list[_Judged]] = {}
    kept: list[str] = []
    for seen in _verdicts(root, shown_path(path), report, kept):
        groups.setdefault((seen.mark.start, seen.mark.end), []).append(seen)
    after, changes = text, list[Change]()
    for (start, end), group in sorted(groups.items(), reverse=True):
        old = text[start:end]
        new = _tightened(old, group, headroom, kept)
        if new is not None:
            after = after[:start] + new + after[end:]
            changes.append(Change(line=group[0].mark.place.line, key=group[0].key, old=old, new=new))
    return Ratcheted(before=text, after=after, changes=tuple(reversed(changes)), kept=tuple(dict.fromkeys(kept)))


def _verdicts(root: Node, file: str, report: Report, kept: list[str]) -> Iterator[_Judged]:
    """The verdicts on limits that are written in `file`, whichever budget has them from there."""
    for result in report.results:
        for verdict in result.verdicts:
            if verdict.limit.source.kind != "budget" or verdict.limit.source.file != file:
                continue
            if verdict.metric.name.endswith(SUFFIX):  # a rule on growth moves with its baseline
                continue
            found = _place(root, result.profile.id, verdict)
            if found is None or (isinstance(found[1], Scalar) and not _is_as_checked(found[1], verdict)):
                name = verdict.metric.name
                kept.append(f"{file}:{verdict.limit.source.line}: {name}: the budget has changed since the check")
            elif isinstance(found[1], Scalar):
                yield _Judged(found[0], found[1].mark, verdict)


def _is_as_checked(node: Scalar, verdict: Verdict) -> bool:
    try:
        return parse(node.value, verdict.metric.unit) == verdict.limit.error
    except ValueError:
        return False


def _place(root: Node, device: str, verdict: Verdict) -> tuple[str, Node] | None:
    """The path and value of the limit that holds on `device`; None if the file does not have it any more."""
    name = verdict.metric.name
    for parts in (("devices", device), ("limits",)):
        section = _inside(root, parts)
        entry = section.entries.get(name) if isinstance(section, MappingNode) else None
        if entry is None:
            continue
        if entry.key.place.line != verdict.limit.source.line:
            return None
        value = child(entry.node, "error") if isinstance(entry.node, MappingNode) else entry.node
        return path_text([*parts, name]), value if value is not None else entry.node
    return None


def _inside(root: Node, parts: Iterable[str]) -> Node | None:
    node: Node | None = root
    for part in parts:
        node = child(node, part) if node is not None else None
    return node


def _tightened(old: str, group: list[_Judged], headroom: float, kept: list[str]) -> str | None:
    first = group[0].verdict
    metric, place = first.metric, f"{group[0].mark.place.file}:{group[0].mark.place.line}: {group[0].key}"
    against = [seen.verdict for seen in group if seen.verdict.status not in (Status.PASS, Status.WARN)]
    if against:
        kept.append(f"{place}: a result is {against[0].status.value}")
        return None
    reached = [_reached(seen.verdict) for seen in group]
    at_most = metric.direction is Direction.AT_MOST
    worst = max(reached) if at_most else min(reached)
    bound = worst * (1 + headroom) if at_most else worst * (1 - headroom)
    if first.limit.warn is not None:
        bound = max(bound, first.limit.warn) if at_most else min(bound, first.limit.warn)
    current = first.limit.error
    if current is None or not math.isfinite(bound) or (bound >= current if at_most else bound <= current):
        return None
    try:
        new = rewritten(old, bound, metric)
        return None if rewritten(old, current, metric) == new else new
    except ValueError as error:
        kept.append(f"{place}: {error}")
        return None


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
