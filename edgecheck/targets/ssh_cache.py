"""What edgecheck keeps on a device: shown, and cleared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.core.address import parse_device
from edgecheck.targets.ssh_courier import CACHE_LIMIT, connected
from edgecheck.targets.ssh_refusals import printable
from edgecheck.targets.ssh_wire import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing in a device's cache."""

    kind: str
    """`file` (a model, samples) or `tree` (a runtime, the agent)."""
    digest: str
    """sha256 of its content."""
    size: int
    """Bytes of the device's disk."""
    used: float
    """When it was last used: seconds since the epoch, by the device's clock."""
    label: str
    """What it is, for a person."""


@dataclass(frozen=True, slots=True)
class DeviceCache:
    """A device's cache."""

    folder: str
    free: int
    """Bytes that are free on its disk."""
    kept: tuple[Kept, ...]
    """The last used first."""
    limit: int = CACHE_LIMIT
    """Bytes; beyond them what was used longest ago is removed."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(one.size for one in self.kept)


def device_cache(address: str) -> DeviceCache:
    """The cache of the device at `address` (`ssh://…`).

    Raises:
        UsageError: it is no such address.
        TargetError: the device cannot be reached.
    """
    with connected(parse_device(address), PATIENCE) as courier:
        answer = courier.ask("cache")
    kept = sorted((_kept(row) for row in answer["entries"]), key=lambda one: one.used, reverse=True)
    return DeviceCache(printable(answer["folder"]), int(answer["free"]), tuple(kept))


def _kept(row: Mapping[str, Any]) -> Kept:
    kind, digest, label = (printable(str(row[key])) for key in ("kind", "digest", "label"))
    return Kept(kind, digest, int(row["size"]), float(row["used"]), label)


def clear_device_cache(address: str) -> int:
    """Remove everything in it; the bytes that were freed.

    Raises:
        UsageError: it is no such address.
        TargetError: the device cannot be reached, or a check runs there.
    """
    with connected(parse_device(address), PATIENCE) as courier:
        return int(courier.ask("clear")["freed"])
