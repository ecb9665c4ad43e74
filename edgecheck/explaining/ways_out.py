"""Why limits on bytes do not hold, and what would help, for the verdicts of one check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.core.verdict import Status
from edgecheck.errors import ModelError
from edgecheck.explaining.memory import memory_way_out
from edgecheck.explaining.storage import storage_way_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecheck.core.finding import Evidence
    from edgecheck.core.verdict import Verdict
    from edgecheck.core.way_out import WayOut

STORAGE = ("size", "download", "footprint")
MEMORY = ("ram_peak", "ram_model")


def ways_out(verdicts: Iterable[Verdict], evidence: Evidence) -> tuple[WayOut, ...]:
    """One for the storage limits that do not hold and one for the memory limits; none where all hold.

    The artifact is looked into only here. One that cannot be read any more explains nothing; its verdicts stand.
    """
    failed = [verdict for verdict in verdicts if verdict.status is Status.FAIL]
    storage = tuple(verdict for verdict in failed if verdict.metric.name in STORAGE)
    memory = tuple(verdict for verdict in failed if verdict.metric.name in MEMORY)
    if not storage and not memory:
        return ()
    from edgecheck.anatomy.reading import read

    try:
        anatomy = read(Path(evidence.artifact.path))
        found = [storage_way_out(storage, anatomy, evidence)] if storage else []
        return tuple([*found, memory_way_out(memory, anatomy, evidence)] if memory else found)
    except ModelError:
        return ()
