"""Ties a child process to its parent, between fork and exec: it dies with it, and before it when memory runs out."""

import contextlib
import importlib
import os
import signal
from typing import Any, Callable, Optional

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux only


def tie(parent: int) -> Callable[[], None]:
    """What a child is to do before its program starts; `parent` is the process that starts it."""
    prctl, resource = _prctl(), _resource()

    def before_exec() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:  # it died in between
                os._exit(1)
        if resource is not None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no core file behind
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", 0) as file:
            file.write(b"1000")  # the model is to be killed, not what watches it or the user's session

    return before_exec


def _prctl() -> Optional[Any]:
    try:  # some small Pythons lack ctypes, macOS lacks prctl
        return importlib.import_module("ctypes").CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def _resource() -> Optional[Any]:
    try:
        return importlib.import_module("resource")
    except ImportError:
        return None
