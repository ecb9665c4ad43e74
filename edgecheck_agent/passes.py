"""The passes of a job, each in fresh processes: latency, load, memory, outputs, profile."""

import shutil
import tempfile
import time
from typing import Any, Dict, List, Optional

from edgecheck_agent import child, events, jobs, procfs, sampling, watching


class Passes:
    """Runs a job's processes one after the other until all are done or one has failed."""

    def __init__(self, job: Dict[str, Any], watch: watching.Watch, out: events.Stdout, waiting: child.Ready) -> None:
        self._job = job
        self._waiting = waiting
        self._watch = watch
        self._out = out
        self._deadline = time.monotonic() + job["deadline_s"]
        self._psutil = sampling.psutil_or_none(job["python_path"]) if job["memory"] else None
        self.count = 0

    def run(self) -> None:
        """Run every pass; a model that fails in one is not tried in the next.

        Raises:
            watching.Stopped: the supervisor is to stop.
        """
        going = self._latency() and self._load() and self._memory()
        if going and self._job["outputs"]:
            going = self._one("outputs") is not None
        if going and self._job["profile"]:
            self._profile()

    def _latency(self) -> bool:
        for purpose in ("latency", "deterministic"):
            if self._job[purpose]:
                return self._one(purpose) is not None
        return True

    def _load(self) -> bool:
        """Fresh processes up to the requested number; one that has loaded the model already counts."""
        wanted = self._job["load"]["processes"] if self._job["load"] else 0
        return all(self._one("load") is not None for _ in range(wanted - self.count))

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

    def _one(self, purpose: str, folder: str = "") -> Optional[int]:
        """Run one process, which may write into `folder`.

        Returns its peak memory, or None if it ended before it had its results.
        """
        self.count += 1
        available = procfs.available()
        watched = bool(self._job["memory"]) and purpose in ("memory", "deterministic")
        with self._waiting.take(jobs.runtime(self._job), self.count, shares=watched) as worker:
            worker.assign(dict(self._job, purpose=purpose, folder=folder))
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
