"""What a device has: what edgecheck keeps on it, shown and cleared, and what the device is."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgecheck.core.protocol import EVENTS
from edgecheck.targets.shell.client import CACHE_LIMIT, connected
from edgecheck.targets.shell.opener import NothingThereError, opener_at, printable
from edgecheck.targets.shell.upload import Upload, agent_item
from edgecheck.targets.shell.wire import PATIENCE

#: Distributions, by the names of their metadata, whose presence decides what a device can run.
DISTRIBUTIONS = ("tflite_runtime", "ai_edge_litert", "onnxruntime", "numpy", "psutil")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One thing in a device's cache."""

    kind: str
    """`file` (a model, samples) or `tree` (a runtime, the agent)."""
    digest: str
    """sha256 of its content."""
    size: int
    """Bytes on the device's disk."""
    used: float
    """When it was last used: seconds since the epoch, by the device's clock."""
    label: str
    """What it is, for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCache:
    """A device's cache."""

    folder: str
    free: int
    """Bytes that are free on its disk."""
    kept: tuple[Kept, ...]
    """The last used first."""
    limit: int = CACHE_LIMIT
    """Bytes; above this, what was used longest ago is removed."""

    @property
    def size(self) -> int:
        """Bytes in total."""
        return sum(one.size for one in self.kept)


def device_cache(address: str) -> DeviceCache:
    """The cache of the device at `address`.

    Raises:
        UsageError: it is not the address of a device.
        TargetError: the device cannot be reached.
    """
    try:
        with connected(opener_at(address), PATIENCE) as client:
            answer = client.ask("cache")
    except NothingThereError as bare:
        return DeviceCache(folder=bare.folder, free=bare.free, kept=())
    kept = sorted((_kept(row) for row in answer["entries"]), key=lambda one: one.used, reverse=True)
    return DeviceCache(folder=printable(answer["folder"]), free=int(answer["free"]), kept=tuple(kept))


def _kept(row: Mapping[str, Any]) -> Kept:
    kind, digest, label = (printable(str(row[key])) for key in ("kind", "digest", "label"))
    return Kept(kind=kind, digest=digest, size=int(row["size"]), used=float(row["used"]), label=label)


def clear_device_cache(address: str) -> int:
    """Remove everything in the cache. Returns the bytes that were freed.

    Raises:
        UsageError: it is not the address of a device.
        TargetError: the device cannot be reached, or a check runs there.
    """
    try:
        with connected(opener_at(address), PATIENCE) as client:
            return int(client.ask("clear")["freed"])
    except NothingThereError:
        return 0


def _silent(_words: str) -> None:
    """Report no progress."""


def probe(address: str, progress: Callable[[str], None] = _silent) -> Mapping[str, Any]:
    """What a device is, without running a model on it; `progress` is called while something is brought there.

    The agent's `device` event (docs/reference/agent-protocol.md), and `installed`: versions of `DISTRIBUTIONS`.

    Raises:
        UsageError: it is not the address of a device.
        TargetError: the device cannot be reached.
    """
    with connected(opener_at(address), PATIENCE, progress) as client:
        installed = client.ask("installed", names=DISTRIBUTIONS)["installed"]
        upload = Upload({"agent": agent_item()}, {})
        client.bring(upload.items.values(), _silent)
        client.start(secrets.token_hex(16), upload, "--probe")
        return {**client.answer(EVENTS["device"]), "installed": installed}
