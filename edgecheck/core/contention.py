"""Whether other processes slowed a model: what it waited for a processor, and who else used the processors.

Contention can only slow a model. So a pass stays one, and a fail that contention may explain is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from edgecheck.core import statistics
from edgecheck.core.run import Activity, Phase, PhaseMark, WorkerRun
from edgecheck.core.samples import Samples
from edgecheck_agent.statistics import CONTENDED, SLOWER

__all__ = ["ADVICE", "CONTENDED", "SLOWER", "cause", "disturbed", "explains", "of_loading", "without_waiting"]

#: From this share of the machine's processor time on, other processes slow a median that does not wait: cores share
#: caches, memory and clocks. On two cores they work half of the time then, and can slow half of the inferences.
_OTHERS = 0.25
#: The same for a mean: a tenth of the time at a factor of 1.6 makes it 6 % longer.
_OTHERS_OF_MEAN = 0.05
#: The same of the time that the host of a virtual machine took from it; and the least share of others that counts.
_STOLEN = 0.02

ADVICE = "use a quieter machine, keep a processor free for it (`taskset`), or limit `instructions` on an emulated one"


def cause(worker: WorkerRun, quantile: float | None = 0.5) -> str:
    """Why latencies of `worker` are longer than the model takes: one clause; empty where nothing slowed it.

    Args:
        worker: What ran.
        quantile: The percentile that it is about; None for the mean. Others who work for a tenth of the time can slow a
            tenth of the inferences: the median stays the same, and p90 shows nothing else.
    """
    if worker.waited > CONTENDED:
        return f"the process waited for a processor {worker.waited:.0%} of the time"
    seen = worker.contention
    if seen is not None and (seen.stolen or 0.0) > _STOLEN:
        return f"the host of this virtual machine took {seen.stolen:.0%} of its processor time"
    if seen is not None and (seen.others or 0.0) > _many_others(quantile):
        return f"other processes used {seen.others:.0%} of the machine's processor time"
    return ""


def disturbed(worker: WorkerRun, quantile: float, processors: int) -> tuple[str, float | None]:
    """What others who used less of the machine than `cause` counts may have slowed; empty and None where nobody did.

    Others who used a share of all processors' time slowed at most that share times the number of processors of the
    inferences. If those are the slowest ones, the percentile of the others is at a lower rank: the bound of a sample of
    which a known share is contaminated (Horowitz and Manski, Econometrica 63 (1995) 281).

    Args:
        worker: What ran.
        quantile: The percentile that it is about.
        processors: How many the machine has.

    Returns:
        A clause, and the percentile of the inferences that nobody slowed: the least that it can be, in seconds.
    """
    seen = worker.contention
    share = seen.others or 0.0 if seen is not None else 0.0
    if share <= _STOLEN or not worker.latencies or cause(worker, quantile):
        return "", None
    slowed = min(share * max(processors, 1), 1.0)
    least = statistics.percentile(without_waiting(worker), quantile * (1 - slowed))
    return f"other processes used {share:.0%} of the machine's processor time", least


def _many_others(quantile: float | None) -> float:
    if quantile is None:
        return _OTHERS_OF_MEAN
    return max(_STOLEN, _OTHERS * min(1.0, 2 * (1 - quantile)))


def without_waiting(worker: WorkerRun) -> Sequence[float]:
    """The latencies as if the process had never waited for a processor; seconds, in order."""
    if not any(worker.waits):
        return worker.latencies
    return _shortened(worker.latencies, worker.waits)


@lru_cache(maxsize=2)  # every percentile of a run asks for it
def _shortened(latencies: Sequence[float], waits: Sequence[float]) -> Sequence[float]:
    pairs = zip(latencies, waits, strict=True)
    return Samples([max(value - wait, 0.0) if wait else value for value, wait in pairs])


def explains(unwaited: float | None, bound: float) -> bool:
    """Whether contention explains a figure beyond `bound` that is `unwaited` without its waiting; both in seconds.

    What other processes slow besides, by cold caches and shared cores, is a factor of `SLOWER` at most.
    """
    return unwaited is None or unwaited <= SLOWER * bound


_LOADING = {Activity.LOAD: (Phase.RUNTIME_READY, Phase.MODEL_LOADED)}


def of_loading(workers: Iterable[WorkerRun], activity: Activity) -> tuple[list[float], str]:
    """What each of `workers` waited while it loaded the model or ran it first, in seconds, and the `cause`."""
    first, last = _LOADING.get(activity, (Phase.MODEL_LOADED, Phase.FIRST_INFERENCE))
    waits, took = [], 0.0
    for worker in workers:
        begun, ended = worker.mark(first), worker.mark(last)
        if begun is not None and ended is not None:
            waits.append(_between(begun, ended))
            took += ended.at - begun.at
    share = sum(waits) / took if took > 0 else 0.0
    return waits, f"the process waited for a processor {min(share, 1.0):.0%} of that time" if share > CONTENDED else ""


def _between(begun: PhaseMark, ended: PhaseMark) -> float:
    return max((ended.waited or 0.0) - (begun.waited or 0.0), 0.0)
