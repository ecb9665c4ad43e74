"""What every way to reach a device gives: one method, a workload in, the agent's lines out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgecheck.core.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Everything that one start of the agent needs."""

    job: Mapping[str, object]
    """The job of docs/reference/agent-protocol.md without the paths, which each target fills in."""
    model: tuple[Path, ...]
    """The artifact's files on the host, the one to open first."""
    samples: Path | None = None
    """A .npz on the host."""
    requirements: tuple[str, ...] = ()
    """What the runtime bundle holds; empty: what the device itself has."""


class Target(Protocol):
    """One way to reach an instance of a device."""

    @property
    def address(self) -> Address:
        """Where it is."""

    @property
    def has_runtime(self) -> bool:
        """Whether the device's own runtime is used unless the budget asks for the profile's."""

    @property
    def emulated(self) -> bool:
        """Whether its clock is not the device's."""

    @property
    def tight(self) -> Target | None:
        """The same device with no more memory than it has, where `self` has been given more; else None."""

    def launch(self, workload: Workload, tell: Callable[[str], None]) -> AbstractContextManager[Iterator[bytes]]:
        """Start the agent; the iterator gives its lines as they come.

        `tell` is told what happens before the first of them, a few words at a time.

        Leaving the context ends the agent and all its processes and removes what was laid out for it.

        Raises:
            TargetError: the device cannot be reached, or the wire broke.
        """
