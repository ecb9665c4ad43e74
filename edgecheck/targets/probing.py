"""What a device says of itself, without running anything on it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from edgecheck.core.address import parse_device
from edgecheck.targets.ssh_cargo import Cargo, agent_item
from edgecheck.targets.ssh_courier import connected
from edgecheck.targets.ssh_wire import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Distributions as their metadata is named, whose presence decides what a device can run.
DISTRIBUTIONS = ("tflite_runtime", "ai_edge_litert", "onnxruntime", "numpy", "psutil")


def probe(address: str) -> Mapping[str, Any]:
    """The agent's `device` event (docs/reference/agent-protocol.md), and `installed`: versions of `DISTRIBUTIONS`.

    Raises:
        UsageError: `address` is not of the form `ssh://user@host`.
        TargetError: the device cannot be reached.
    """
    with connected(parse_device(address), PATIENCE) as courier:
        installed = courier.ask("installed", names=DISTRIBUTIONS)["installed"]
        cargo = Cargo({"agent": agent_item()}, {})
        courier.bring(cargo.items.values(), lambda _words: None)
        courier.start(secrets.token_hex(16), cargo, "--probe")
        return {**courier.wire.answer(), "installed": installed}
