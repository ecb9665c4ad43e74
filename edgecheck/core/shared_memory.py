"""Memory where the GPU shares the system's: what it takes is in no process, but missing from the machine's.

Resident memory is what the kernel counts for the process. Buffers of a Jetson's GPU come from the same RAM and are not
in it; they show in how far MemAvailable falls from before the process starts. The larger of the two counts.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgecheck.core.readers import highest
from edgecheck.core.run import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.finding import Measurement
    from edgecheck.core.metrics import Metric
    from edgecheck.core.run import PhaseMark, Run, WorkerRun

#: What profiles of such devices say, and what such boards call themselves (`NVIDIA Jetson Nano Developer Kit`,
#: `Jetson AGX Orin`, `NVIDIA Orin Nano Developer Kit`).
KIND = "jetson"
_NAMES = ("jetson", "nvidia")
_MACHINE = "aarch64"


def is_shared(profile: DeviceProfile | None, run: Run) -> bool:
    """Whether `run` was on a device whose GPU has no memory of its own. An emulated one has no GPU."""
    if run.emulated:
        return False
    board, machine = run.before.model.lower(), run.before.machine
    if not board:  # in a container, for one; a PC has no name either
        return machine == _MACHINE and profile is not None and profile.kind == KIND
    return any(name in board for name in _NAMES)


def _ram_peak(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    return _highest(metric, [(worker.peak, _fall(worker, 0.0)) for worker in workers])


def _ram_model(metric: Metric, workers: tuple[WorkerRun, ...]) -> Measurement | None:
    """The same, from the moment on at which the runtime was ready."""
    readies = [(worker, worker.mark(Phase.RUNTIME_READY)) for worker in workers]
    return _highest(metric, [(_grown(worker, ready), _fall(worker, ready.at)) for worker, ready in readies if ready])


#: What is read otherwise there.
READERS: Mapping[str, Callable[[Metric, tuple[WorkerRun, ...]], Measurement | None]] = MappingProxyType(
    {"ram_peak": _ram_peak, "ram_model": _ram_model}
)


def _highest(metric: Metric, pairs: list[tuple[int | None, int | None]]) -> Measurement | None:
    """The highest of all, and which of the two ways of looking it comes from."""
    known = [[value for value in pair if value is not None] for pair in pairs]
    found = highest(metric, [max(values) for values in known if values])
    if found is None:
        return None
    resident = max((value for value, _ in pairs if value is not None), default=None)
    if resident is not None and resident >= found.value:
        shown = "MemAvailable, which the GPU shares, fell by less"
    else:
        shown = "the fall of MemAvailable, which the GPU shares"
        shown += "" if resident is None else f"; {metric.show(resident)} of it resident"
    return replace(found, basis=f"{found.basis}: {shown}")


def _grown(worker: WorkerRun, ready: PhaseMark) -> int | None:
    return worker.peak - ready.rss if worker.peak is not None and ready.rss is not None else None


def _fall(worker: WorkerRun, since: float) -> int | None:
    """How far MemAvailable fell below the least that it was until `since`; None where it is not known."""
    lows = worker.available
    if not lows:
        return None
    before = [low for at, low in lows if at <= since]
    return (before or [lows[0][1]])[-1] - lows[-1][1]
