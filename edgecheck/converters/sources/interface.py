"""What an opened model offers, whatever its framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from edgecheck.converters.samples import Port


class Output(NamedTuple):
    """One output of one run."""

    name: str
    value: NDArray[Any]
    logits: NDArray[Any] | None = None
    """What went into the softmax that made the value, where there is one and it can be found."""


class Source(Protocol):
    """A model, open."""

    @property
    def ports(self) -> Sequence[Port]:
        """Its inputs."""

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """Its outputs for one sample with a batch of one, in its own order."""
