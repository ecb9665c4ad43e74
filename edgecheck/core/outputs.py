"""What a model returned on a device, put together from the agent's events."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgecheck.core.protocol import MisfitError

#: Bytes of all outputs of a run.
_MOST_BYTES = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOutput:
    """One output for one sample."""

    name: str
    dtype: str
    """As numpy calls it; `string` and `other` have no content."""
    shape: tuple[int, ...]
    content: bytes
    """Little-endian, in C order."""
    quantization: tuple[float, int] | None
    """Scale and zero point."""


class SeenOutputs:
    """The outputs by sample, in the model's order."""

    def __init__(self) -> None:
        self._samples: dict[int, dict[str, SeenOutput]] = {}
        self._pieces: list[bytes] = []
        self._bytes = 0

    def add(self, event: Mapping[str, Any]) -> None:
        """Take an `output` event; the pieces of one come one after the other.

        Raises:
            MisfitError: a piece is missing, or the content is not what it should be.
        """
        if event["piece"] != len(self._pieces):
            raise MisfitError("output: a piece is missing")
        try:
            self._pieces.append(b64decode(event.get("base64") or "", validate=True))
        except binascii.Error:
            raise MisfitError("output: base64 is damaged") from None
        self._bytes += len(self._pieces[-1])
        if self._bytes > _MOST_BYTES:
            raise MisfitError(f"output: more than {_MOST_BYTES:,} bytes")
        if len(self._pieces) < event["pieces"]:
            return
        output = SeenOutput(
            name=event["name"],
            dtype=event["dtype"],
            shape=tuple(event["shape"]),
            content=b"".join(self._pieces),
            quantization=event.get("quantization"),
        )
        self._pieces = []
        self._samples.setdefault(event["sample"], {})[event["name"]] = output

    @property
    def samples(self) -> tuple[tuple[SeenOutput, ...], ...]:
        """The outputs of each sample."""
        return tuple(tuple(self._samples[at].values()) for at in sorted(self._samples))
