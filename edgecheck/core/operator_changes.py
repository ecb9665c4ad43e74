"""What grew, operator by operator, between the profiles of two models: matched by name, then by what they are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from edgecheck.core.operators import INTERRUPT, Operator, OperatorProfile


class Change(str, Enum):
    """How an operator differs between the two."""

    SAME = "same"
    """It may differ by less than the figures are certain of."""
    GREW = "grew"
    SHRANK = "shrank"
    APPEARED = "appeared"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorChange:
    """One operator in both profiles."""

    name: str
    type: str
    """Where the types differ, both: `Conv → FusedConv`."""
    was: str = ""
    """Its name in the old profile, where that is another."""
    change: Change
    old: float
    """Seconds, or billions of instructions, as in `Operator.seconds`; 0 where it appeared."""
    new: float
    uncertainty: float = 0.0
    """Half of a 95 % interval of the difference; 0 where the clock counts instructions."""
    detail: str = ""
    """What else changed: shape, work, who executes it."""

    @property
    def delta(self) -> float:
        """The difference."""
        return self.new - self.old


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorChanges:
    """All changes, the largest first; with that of the remainder they sum to the difference of the inferences."""

    new: OperatorProfile
    old: OperatorProfile
    changes: tuple[OperatorChange, ...]

    @property
    def delta(self) -> float:
        """The difference of the inferences."""
        return self.new.whole - self.old.whole

    @property
    def remainder(self) -> float:
        """The part of it that is outside of the operators."""
        return self.new.remainder - self.old.remainder


def differences(new: OperatorProfile, old: OperatorProfile) -> tuple[str, ...]:
    """Why two profiles cannot be compared, each as a clause; empty where they can."""
    pairs = [
        ("figures", new.provenance.value, old.provenance.value),
        ("runtime", new.runtime, old.runtime),
        ("profiler", new.profiler, old.profiler),
    ]
    return tuple(
        f"{what}: now {now or 'unknown'}, then {then or 'unknown'}" for what, now, then in pairs if now != then
    )


def compare(new: OperatorProfile, old: OperatorProfile) -> OperatorChanges:
    """How each operator of `old` changed in `new`.

    They are matched by name and type, in order where several have one name; then, of those left, by name; then by type
    and shape, in order; then by type, in order, where as many of a type are left in both.
    """
    pairs: dict[int, int] = {}
    keys: tuple[Callable[[Operator], Hashable], ...] = (
        lambda one: (one.name, one.type),
        lambda one: one.name,
        lambda one: (one.type, one.shape, one.macs),
        lambda one: (one.type, one.shape),
    )
    for key in keys:
        _pair(pairs, new.operators, old.operators, key)
    _pair(pairs, new.operators, old.operators, lambda one: one.type, only_equal=True)
    grain = INTERRUPT if new.counted else 0.0
    changes = [_change(new.operators[at], old.operators[was], grain) for at, was in pairs.items()]
    changes += [_one_sided(each, appeared=True) for at, each in enumerate(new.operators) if at not in pairs]
    taken = set(pairs.values())
    changes += [_one_sided(each, appeared=False) for at, each in enumerate(old.operators) if at not in taken]
    ordered = sorted(changes, key=lambda change: (-abs(change.delta), change.name))
    return OperatorChanges(new=new, old=old, changes=tuple(ordered))


def _pair(
    pairs: dict[int, int],
    new: Sequence[Operator],
    old: Sequence[Operator],
    key: Callable[[Operator], Hashable],
    *,
    only_equal: bool = False,
) -> None:
    """Match what has the same key and no partner yet, in order; with `only_equal`, where both sides have as many."""
    taken = set(pairs.values())
    theirs: dict[Hashable, list[int]] = defaultdict(list)
    for at, one in enumerate(old):
        if at not in taken:
            theirs[key(one)].append(at)
    ours: dict[Hashable, list[int]] = defaultdict(list)
    for at, one in enumerate(new):
        if at not in pairs:
            ours[key(one)].append(at)
    for found, group in ours.items():
        if not only_equal or len(group) == len(theirs.get(found, ())):
            pairs.update(zip(group, theirs.get(found, ()), strict=False))


def _change(new: Operator, old: Operator, grain: float) -> OperatorChange:
    half = math.hypot((new.high - new.low) / 2, (old.high - old.low) / 2)
    delta = new.seconds - old.seconds
    # Where instructions are counted, an interrupt more or less does not count.
    same = abs(delta) <= max(half, grain)
    return OperatorChange(
        name=new.name,
        type=new.type if new.type == old.type else f"{old.type} → {new.type}",
        was=old.name if old.name != new.name else "",
        change=Change.SAME if same else Change.GREW if delta > 0 else Change.SHRANK,
        old=old.seconds,
        new=new.seconds,
        uncertainty=half,
        detail="; ".join(_details(new, old)),
    )


def _details(new: Operator, old: Operator) -> Iterable[str]:
    if new.shape != old.shape and new.shape and old.shape:
        yield f"{old.shape} → {new.shape}"
    if new.macs != old.macs and new.macs and old.macs:
        yield f"{new.macs / old.macs:.3g} times the multiply-accumulates"
    if new.provider != old.provider:
        yield f"{old.provider} → {new.provider}"


def _one_sided(one: Operator, *, appeared: bool) -> OperatorChange:
    return OperatorChange(
        name=one.name,
        type=one.type,
        change=Change.APPEARED if appeared else Change.VANISHED,
        old=0.0 if appeared else one.seconds,
        new=one.seconds if appeared else 0.0,
        uncertainty=(one.high - one.low) / 2,
    )


#: Operators that explain a regression.
NAMED = 3


def explanation(new: OperatorProfile | None, old: OperatorProfile | None) -> str:
    """The operators that explain most of what an inference grew by, in a clause; empty where that is not known."""
    if new is None or old is None or differences(new, old):
        return ""
    found = [one for one in compare(new, old).changes if one.delta > 0 and one.change is not Change.SAME]
    clauses = [f"{one.name} ({one.change.value}) +{new.show(one.delta)}" for one in found[:NAMED]]
    return f"most of it: {', '.join(clauses)}" if clauses else ""
