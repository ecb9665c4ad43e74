"""How memory is read where the GPU shares the system's RAM: also from the fall of the memory available.

Resident memory is what the kernel counts for the process. Buffers of a Jetson's GPU come from the same RAM and are not
included; they show in how far MemAvailable falls from before the process starts. The larger of the two is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from edgecheck.core.device import DeviceProfile
from edgecheck.core.finding import Evidence, Measurement
from edgecheck.core.metrics import Metric
from edgecheck.core.readers import MetricReader, highest
from edgecheck.core.run import Phase, PhaseMark, Purpose, Run, WorkerRun

#: The profiles' word for such devices, and what such boards call themselves (`NVIDIA Jetson Nano Developer Kit`,
#: `Jetson AGX Orin`, `NVIDIA Orin Nano Developer Kit`).
KIND = "jetson"
_NAMES = ("jetson", "nvidia")
_MACHINE = "aarch64"


def is_shared(profile: DeviceProfile | None, run: Run) -> bool:
    """Whether `run` was on a device whose GPU has no separate memory. An emulated one has no GPU."""
    if run.emulated:
        return False
    board, machine = run.before.model.lower(), run.before.machine
    if not board:  # in a container, for one; a PC has no name either
        return machine == _MACHINE and profile is not None and profile.kind == KIND
    return any(name in board for name in _NAMES)


def _ram_peak(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    return _highest(metric, [(worker.peak, _fall(worker, 0.0)) for worker in workers])


def _ram_model(metric: Metric, workers: tuple[WorkerRun, ...], _evidence: Evidence) -> Measurement | None:
    """The same, from the moment when the runtime was ready."""
    readies = [(worker, worker.mark(Phase.RUNTIME_READY)) for worker in workers]
    return _highest(metric, [(_grown(worker, ready), _fall(worker, ready.at)) for worker, ready in readies if ready])


#: By name: how a metric is read there, in place of the reader in `readers`.
READERS: Mapping[str, MetricReader] = MappingProxyType(
    {
        "ram_peak": MetricReader((Purpose.MEMORY,), _ram_peak),
        "ram_model": MetricReader((Purpose.MEMORY,), _ram_model),
    }
)


def _highest(metric: Metric, pairs: list[tuple[int | None, int | None]]) -> Measurement | None:
    """The highest of all; the basis says which of the two it comes from."""
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
    """How far MemAvailable fell below its minimum up to `since`, in bytes; None where it was not recorded."""
    lows = worker.available
    if not lows:
        return None
    before = [low for at, low in lows if at <= since]
    return (before or [lows[0][1]])[-1] - lows[-1][1]
