"""Where a model's nodes ran: which an accelerator took, which it left behind, and the share of the time of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from edgecheck.core.operators import SeenProfile

#: Names of nodes of one type that a sentence has.
_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftNode:
    """A node that did not run on the accelerator."""

    type: str
    name: str
    """As the runtime names it; empty where it does not."""
    provider: str
    """What ran it instead."""
    reason: str = ""
    """Why, where the runtime says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What a process found about the accelerator that it was to run on."""

    accelerator: str
    """As the runtime calls it: `OpenVINOExecutionProvider`."""
    taken: int
    """Nodes of the model that ran there."""
    total: int
    """All of them."""
    proof: str
    """Who says so: `onnxruntime's graph assignment`."""
    left: tuple[LeftNode, ...] = ()
    """The others, in the order of the model."""

    @property
    def share(self) -> float:
        """The share of the nodes that ran there."""
        return self.taken / self.total if self.total else 0.0

    @staticmethod
    def of(event: Mapping[str, Any]) -> Placement:
        """From a `placement` event."""
        return Placement(
            accelerator=event["accelerator"],
            taken=event["taken"],
            total=event["total"],
            proof=event["proof"],
            left=tuple(LeftNode(**node) for node in event["left"]),
        )


@dataclass(frozen=True, slots=True)
class SpentTime:
    """What the nodes of one type took in an inference, by the runtime's own profiler."""

    provider: str
    type: str
    name: str
    seconds: float


def spent(profile: SeenProfile) -> tuple[SpentTime, ...]:
    """What each node took on average, in the order of execution."""
    return tuple(
        SpentTime(each.provider, each.type, each.name, fmean(each.values) if each.values else 0.0)
        for each in profile.operators
    )


def time_share(placement: Placement, times: Iterable[SpentTime]) -> float | None:
    """The share of the nodes' time that was spent on the accelerator; None where no time is known."""
    found = tuple(times)
    whole = sum(each.seconds for each in found)
    there = sum(each.seconds for each in found if each.provider == placement.accelerator)
    return there / whole if whole > 0 else None


def by_profile(placement: Placement, times: Sequence[SpentTime]) -> Placement:
    """The placement; of a runtime that lists no nodes, as its profile shows it: nodes that were fused count as one."""
    if placement.total or not times:
        return placement
    left = [each for each in times if each.provider != placement.accelerator]
    return Placement(
        accelerator=placement.accelerator,
        taken=len(times) - len(left),
        total=len(times),
        proof="the runtime's profile, where nodes that were fused count as one",
        left=tuple(LeftNode(type=each.type, name=each.name, provider=each.provider) for each in left),
    )


def in_words(placement: Placement, share: float | None) -> str:
    """`5 of 6 nodes (83 %), 91 % of the time`."""
    nodes = f"{placement.taken:,} of {placement.total:,} nodes ({_percent(placement.share)})"
    time = f"{_percent(share)} of the time" if share is not None else "their share of the time is not known"
    return f"{nodes}, {time}; by {placement.proof}"


def left_in_words(placement: Placement, times: Sequence[SpentTime]) -> str:
    """Every type of node that was left behind, with nodes and shares: `Unique (1 node, 9 % of the time: /u)`."""
    whole = sum(each.seconds for each in times)
    parts = []
    for kind in dict.fromkeys(node.type for node in placement.left):
        nodes = [node for node in placement.left if node.type == kind]
        count = f"{len(nodes):,} node{'s' if len(nodes) > 1 else ''}"
        spent_on = sum(each.seconds for each in times if each.type == kind and each.provider != placement.accelerator)
        time = f", {_percent(spent_on / whole)} of the time" if whole > 0 else ""
        names = [node.name for node in nodes if node.name]
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        named = f": {', '.join(names[:_NAMED])}{more}" if names else ""
        reasons = "; ".join(dict.fromkeys(node.reason for node in nodes if node.reason))
        parts.append(f"{kind} ({count}{time}{named})" + (f", because {reasons}" if reasons else ""))
    return "; ".join(parts)


def _percent(share: float) -> str:
    """Three digits, and never 100 % of what is less."""
    return next((text for digits in (3, 4, 5, 6) if (text := f"{100 * share:.{digits}g} %") != "100 %"), "100 %")
