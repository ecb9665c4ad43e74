"""Doubts about limits that are valid: those that can never fail, or that the device makes pointless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.core.metrics import Direction
from edgecheck.core.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.limits import Limit

_STORED = frozenset({"size", "download", "footprint"})
_RESIDENT = frozenset({"ram_peak", "ram_model"})
_PROJECTED = "latency_p50"


def doubts(limit: Limit, profile: DeviceProfile) -> Iterator[str]:
    """What is doubtful about a limit on a device, a sentence each."""
    yield from _beyond_the_device(limit, profile)
    bound = limit.warn if limit.error is None else limit.error
    if limit.metric.direction is Direction.AT_LEAST and bound == 0:
        yield "can never fail: every value is at least 0"
    if limit.warn is not None and limit.error is not None and not _is_stricter(limit, limit.warn, limit.error):
        yield f"never warns: warn, {_text(limit, limit.warn)}, is not stricter than error, {_text(limit, limit.error)}"
    if limit.projected_point and limit.metric.name != _PROJECTED:
        yield f"`projected:` has no effect: only {_PROJECTED} is projected"


def _beyond_the_device(limit: Limit, profile: DeviceProfile) -> Iterator[str]:
    name, bound = limit.metric.name, max(limit.error or 0, limit.warn or 0)
    if name in _STORED and bound > profile.storage.available:
        free = _text(limit, profile.storage.available)
        yield f"can never fail on {profile.id}: {_text(limit, bound)} is more than its free storage, {free}"
    if name in _RESIDENT and bound > profile.ram.available:
        free = _text(limit, profile.ram.available)
        yield f"contradicts {profile.id}: {_text(limit, bound)} is more than its free RAM, {free}"


def _is_stricter(limit: Limit, one: float, other: float) -> bool:
    return one > other if limit.metric.direction is Direction.AT_LEAST else one < other


def _text(limit: Limit, value: float) -> str:
    return limit.metric.show(value)


def gaps(limits: Sequence[Limit]) -> Iterator[str]:
    """Kinds of limit that a profile should set and does not."""
    names = {limit.metric.name for limit in limits}
    if not names & _RESIDENT:
        yield "no limit on RAM: takes ram_peak or ram_model"
    if not names & _STORED:
        yield "no limit on storage: takes footprint, size or download"
    if not any(limit.metric.unit is Unit.SECONDS for limit in limits):
        yield "no limit on latency: takes latency_p50 or another percentile"
