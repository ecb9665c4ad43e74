"""What every way to reach a device provides: one method, which takes a workload and yields the agent's lines.

And where the agent is on this machine: a separate package, which targets copy to devices and never import.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from edgecheck.core.address import Address

#: Seconds for a job without a `deadline_s`, and without a `cooling_s` (docs/reference/agent-protocol.md).
_DEADLINE, _COOLING = 600.0, 300.0


@dataclass(frozen=True, slots=True)
class Reuse:
    """Which earlier results may take the place of a run that would repeat them."""

    began: float = math.inf
    """When this invocation began, in seconds since 1970: an earlier result says when it was measured."""
    fresh: bool = False
    """Whether only results of this invocation are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Everything that one start of the agent needs."""

    job: Mapping[str, object]
    """The job of docs/reference/agent-protocol.md without its paths, which each target fills in."""
    model: tuple[Path, ...]
    """The artifact's files on the host, the one to open first."""
    samples: Path | None = None
    """An .npz on the host."""
    requirements: tuple[str, ...] = ()
    """What the runtime bundle contains; empty: the device's own runtime is used."""
    reuse: Reuse = Reuse()
    """For targets whose runs repeat exactly."""

    @property
    def deadline(self) -> float:
        """Seconds for the job once it has the device."""
        return float(str(self.job.get("deadline_s", _DEADLINE)))

    @property
    def cooling(self) -> float:
        """Seconds before that for which a hot phone is waited for."""
        return float(str(self.job.get("cooling_s", _COOLING)))


class Target(Protocol):
    """One way to reach a device."""

    @property
    def address(self) -> Address:
        """Where it is."""

    @property
    def has_runtime(self) -> bool:
        """Whether the device's own runtime is used unless the budget requires the profile's."""

    @property
    def emulated(self) -> bool:
        """Whether its clock is not the device's."""

    @property
    def tight(self) -> Target | None:
        """The same device with the memory that it really has, if `self` has more or less; else None."""

    def launch(self, workload: Workload, progress: Callable[[str], None]) -> AbstractContextManager[Iterator[bytes]]:
        """Start the agent; the iterator yields its lines as they come.

        `progress` is called with a few words for each step before the first line.

        Leaving the context ends the agent and all its processes, and removes the files that were made for it.

        Raises:
            TargetError: the device cannot be reached, or the wire broke.
        """


#: The package's name, and the name of its folder on a device.
PACKAGE = "edgecheck_agent"

#: The file that starts the agent, relative to the folder that contains the package.
START = f"{PACKAGE}/supervisor.py"


@cache
def agent_folder() -> Path:
    """The folder of the agent's modules."""
    spec = find_spec(PACKAGE)
    assert spec is not None  # noqa: S101 - it is installed along with edgecheck
    assert spec.origin is not None  # noqa: S101 - it has an __init__.py
    return Path(spec.origin).parent
