"""A worker started before its job is known: it has loaded the runtime and waits, so that no job has to."""

from typing import Any, Dict, Optional

from edgecheck_agent import child, jobs, sampling, watching


class Ready:
    """The worker that waits; there is at most one. As a context manager it leaves no process behind."""

    def __init__(self, text: Optional[str], watch: watching.Watch) -> None:
        """Start it with the runtime that `text` describes (`jobs.RUNTIME_KEYS`, as JSON); without one there is none.

        Raises:
            jobs.BadJob: the text describes no runtime.
            watching.Stopped: the supervisor is to stop.
        """
        self._worker: Optional[child.Child] = None
        if text is not None:
            runtime = jobs.parse_runtime(text)
            sampling.psutil_or_none(runtime["python_path"])
            self._worker = child.Child(runtime, 1, shares=True)
            self._worker.get_ready(watch)

    def __enter__(self) -> "Ready":
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.close()

    def take(self, runtime: Dict[str, Any], process: int, *, shares: bool) -> child.Child:
        """The worker that waits, if its runtime is the one that is wanted and it is to be the first; else a new one."""
        waiting, self._worker = self._worker, None
        if waiting is not None:
            if waiting.runtime == runtime and process == waiting.process:
                return waiting
            waiting.close()
        return child.Child(runtime, process, shares=shares)
