"""The passes of a job, each in fresh processes: latency, load, memory, outputs, profile.

On an accelerator that caches what it compiles, the first process finds an empty cache and fills it. Those of the load
pass, which time that, and the first of the memory pass, since a device has to get through it once, work without a
cache; all others start from it.
"""

import contextlib
import shutil
import tempfile
import time
from typing import Any, Dict, Iterator, List, Optional

from edgecheck_agent import accelerators, child, events, jobs, procfs, sampling, watching


class Passes:
    """Runs a job's processes one after the other until all are done or one has failed."""

    def __init__(self, job: Dict[str, Any], watch: watching.Watch, out: events.Stdout, waiting: child.Ready) -> None:
        self._job = job
        self._waiting = waiting
        self._watch = watch
        self._out = out
        self._deadline = time.monotonic() + job["deadline_s"]
        self._psutil = sampling.psutil_or_none(job["python_path"]) if job["memory"] else None
        self._cache = ""
        self.count = 0

    def run(self) -> None:
        """Run every pass; a model that fails in one is not tried in the next.

        Raises:
            watching.Stopped: the supervisor is to stop.
        """
        with self._with_cache():
            going = self._latency() and self._load() and self._memory()
            if going and self._job["outputs"]:
                going = self._one("outputs") is not None
            if going and self._job["profile"]:
                self._profile()

    @contextlib.contextmanager
    def _with_cache(self) -> Iterator[None]:
        """A context in which there is a folder for what the accelerator compiles, if it can keep that."""
        if self._job["accelerator"] and self._job["accelerator"]["provider"] in accelerators.CACHING:
            try:
                self._cache = tempfile.mkdtemp(prefix="edgecheck-cache-")
            except OSError as error:
                message = "the accelerator has no place for its cache: %s" % error
                self._out.emit("note", code="no-cache", message=message)
        try:
            yield
        finally:
            shutil.rmtree(self._cache, ignore_errors=True)

    def _latency(self) -> bool:
        for purpose in ("latency", "deterministic"):
            if self._job[purpose]:
                return self._one(purpose) is not None
        return True

    def _load(self) -> bool:
        """Fresh processes up to the requested number, where one that has loaded the model counts; then cached ones."""
        plan = self._job["load"]
        if not plan:
            return True
        going = all(self._one("load") is not None for _ in range(plan["processes"] - self.count))
        return going and all(self._one("cached-load") is not None for _ in range(plan["cached"]))

    def _memory(self) -> bool:
        """As many processes as it takes for their peaks to agree, within the requested range.

        Where the clock counts instructions, the process in which they were counted has shown its memory, too: nothing
        in it depends on time, and another process would be the same.
        """
        plan = self._job["memory"]
        if not plan or self._job["deterministic"]:
            return True
        least, most = plan["processes"]
        peaks: List[int] = []
        cold = self._one("memory", cold=True) if self._cache else None
        if self._cache and cold is None:
            return False
        while len(peaks) < least or (len(peaks) < most and _apart(peaks) > plan["spread"]):
            peak = self._one("memory")
            if peak is None:
                return False
            peaks.append(peak)
        return True

    def _profile(self) -> None:
        """As many processes as the plan says; a runtime writes its profile into a folder that is removed afterwards."""
        for _ in range(self._job["profile"]["processes"]):
            try:
                folder = tempfile.mkdtemp(prefix="edgecheck-profile-")
            except OSError as error:
                message = "the runtime has no place for its profile: %s" % error
                self._out.emit("note", code="no-profile", message=message)
                return
            try:
                if self._one("profile", folder) is None:
                    return
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _one(self, purpose: str, folder: str = "", *, cold: bool = False) -> Optional[int]:
        """Run one process, which may write into `folder`; a `cold` one, or one of the load pass, without a cache.

        Returns its peak memory, or None if it ended before it had its results.
        """
        self.count += 1
        available = procfs.available()
        watched = bool(self._job["memory"]) and purpose in ("memory", "deterministic")
        with self._waiting.take(jobs.runtime(self._job), self.count, shares=watched) as worker:
            cache = "" if cold or purpose == "load" else self._cache
            worker.assign(dict(self._job, purpose=purpose, folder=folder, cache=cache))
            self._out.emit("start", process=self.count, purpose=purpose, pid=worker.pid, available=available)
            sampler = None
            if watched:
                until = "" if purpose == "memory" else "steady"
                sampler = sampling.Sampler(self._psutil, worker, self._job["memory"]["interval_s"], until)
            end = worker.follow(self._watch, self._out, self._deadline, sampler)
        self._out.emit("end", **end)
        has_results = end["outcome"] == "completed" or (end["outcome"] == "crashed" and end["phase"] == "exit")
        return worker.seen.peak if has_results else None


def _apart(peaks: List[int]) -> float:
    """How much the peaks differ, as a share of the highest."""
    return (max(peaks) - min(peaks)) / max(peaks) if max(peaks) else 0.0
