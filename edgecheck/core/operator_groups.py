"""The operators of a profile as rows: one by one, by type, or by layer of the model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from statistics import median

from edgecheck.core.operators import Operator, OperatorProfile

#: An operator is slow for its work if a multiply-accumulate takes this many times as long as in the model's median
#: operator, and it takes this share of the inference.
SLOW_FACTOR, SLOW_SHARE = 3.0, 0.02

#: The group of operators without one.
NO_LAYER = "(no layer)"


class By(str, Enum):
    """What a row is."""

    NODE = "node"
    TYPE = "type"
    LAYER = "layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """One operator, or several of one type or layer."""

    name: str
    type: str
    """The type, or how many types there are."""
    provider: str
    seconds: float
    count: int
    calls: float
    macs: int | None
    """Of one inference; None where that of any of them is not known, and for operators without a formula."""
    bytes: int | None
    layer: str = ""
    parts: tuple[str, ...] = ()
    shape: str = ""
    slow: bool = False
    """Whether it takes much longer for its multiply-accumulates than the model's others."""


def rows(profile: OperatorProfile, by: By) -> tuple[OperatorRow, ...]:
    """The rows by descending time; with the remainder they sum to one inference."""
    keys: dict[By, Callable[[int, Operator], str]] = {
        By.NODE: lambda at, _one: str(at),
        By.TYPE: lambda _at, one: one.type,
        By.LAYER: lambda _at, one: one.layer or NO_LAYER,
    }
    groups: dict[str, list[Operator]] = defaultdict(list)
    for at, one in enumerate(profile.operators):
        groups[keys[by](at, one)].append(one)
    usual = _usual(profile)
    found = [_row(each[0].name if by is By.NODE else name, each, profile, usual) for name, each in groups.items()]
    return tuple(sorted(found, key=lambda row: -row.seconds))


def _row(name: str, group: list[Operator], profile: OperatorProfile, usual: float) -> OperatorRow:
    first = group[0]
    types = dict.fromkeys(one.type for one in group)
    providers = dict.fromkeys(one.provider for one in group)
    # Of a layer, the work is that of its operators with a formula: an activation has none, and adds none.
    counted = [round(one.macs * one.calls) for one in group if one.macs is not None]
    moved = [one.bytes for one in group]
    seconds = sum(one.seconds for one in group)
    alone = len(group) == 1
    return OperatorRow(
        name=name,
        type=first.type if len(types) == 1 else f"{len(types)} types",
        provider=", ".join(providers),
        seconds=seconds,
        count=len(group),
        calls=sum(one.calls for one in group),
        macs=sum(counted) if counted else None,
        bytes=sum(each or 0 for each in moved) if all(each is not None for each in moved) else None,
        layer=first.layer if alone else "",
        parts=first.parts if alone else (),
        shape=first.shape if alone else "",
        slow=alone and _is_slow(first, profile, usual),
    )


def _usual(profile: OperatorProfile) -> float:
    """Seconds that a multiply-accumulate takes in the model's median operator; 0 where none has any."""
    rates = [
        one.seconds / (one.macs * one.calls)
        for one in profile.operators
        if one.macs and one.calls and profile.share(one.seconds) >= SLOW_SHARE / 4
    ]
    return median(rates) if rates else 0.0


def _is_slow(one: Operator, profile: OperatorProfile, usual: float) -> bool:
    """Whether an operator stands out as slow for its work."""
    if not one.macs or not one.calls or not usual or profile.share(one.seconds) < SLOW_SHARE:
        return False
    return one.seconds / (one.macs * one.calls) >= SLOW_FACTOR * usual
