"""`--shard 2/4`: a part of the checks, the same part on every machine."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.pipeline import Check


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts."""

    number: int
    """From 1 on."""
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, checks: Sequence[Check]) -> tuple[Check, ...]:
        """The checks that are this part's, in their order; parts differ by one check at most.

        Neither the order in which budgets were named nor the folder that they lie in on this machine counts. Checks
        are dealt out by a hash, so that a slow device, which comes up at every so many checks, is not all one part's.
        """
        dealt = sorted(range(len(checks)), key=lambda at: (_place(checks[at]), at))
        mine = set(dealt[self.number - 1 :: self.count])
        return tuple(check for at, check in enumerate(checks) if at in mine)


def _place(check: Check) -> bytes:
    budget = check.budget
    paths = (os.path.relpath(path) if path else "" for path in (budget.path, budget.model.path))
    identity = (*(Path(path).as_posix() for path in paths), str(check.variant), check.profile.id)
    return hashlib.sha256("\0".join(identity).encode("utf-8", "surrogateescape")).digest()
