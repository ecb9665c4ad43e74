"""The child process of a conversion: does one task and writes `answer.json`, or crashes, which `process` reports."""

from __future__ import annotations

import gc
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from edgecheck.converters import model_files
from edgecheck.converters.interface import ELSEWHERE, Answer, Failure, Made, Request, Task, read_task, write_answer
from edgecheck.converters.output_checks import ensure_converted, ensure_opens
from edgecheck.converters.safety import factories
from edgecheck.core.sayings import known
from edgecheck.errors import EdgecheckError

_KILL = 9

#: PR_SET_PDEATHSIG of prctl(2).
_DIE_WITH_PARENT = 1

#: What TensorFlow's converter puts around its messages.
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_PLACES = re.compile(r"<unknown>:0: error: loc\(.*\): ")


def main(task_file: str, folder: str) -> None:
    """Do the task in the file; the results go into the folder."""
    _die_with_parent()
    write_answer(_attempt(read_task(Path(task_file)), Path(folder)), Path(folder))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Everything is on the disk: an orderly exit of a framework takes longer than some conversions, and may crash.
    os._exit(0)


def _attempt(task: Task, folder: Path) -> Answer | Failure:
    started, request = time.monotonic(), task.request
    params: int | None = None
    arithmetic = ""
    try:
        made = _maker(task.maker)(request, folder)
        if task.makes_model:
            gc.collect()  # the converter's memory is freed before the runtime takes some
            ensure_opens(made.files[0], request)
            ensure_converted(made.files[0], request.variant)
            params, arithmetic = model_files.params_and_arithmetic(made.files[0])
    except EdgecheckError as error:
        return Failure(error.message, error.hint, final=True)
    except ModuleNotFoundError as error:
        return _not_installed(error, task)
    except Exception as error:  # noqa: BLE001 - this is the process's boundary: what a framework raises is the answer
        traceback.print_exc()
        if (saying := known(str(error.__cause__ or error))) is not None:
            what = "convert" if task.makes_model else "run"
            return Failure(f"{request.title} does not {what}: {saying.sentence}.", saying.next_step, final=False)
        hint = ELSEWHERE if task.makes_model else ""
        return Failure(f"The converter failed: {_in_a_line(error)}", hint, final=False)
    return Answer(
        files=tuple(str(file.relative_to(folder)) for file in made.files),
        route=made.route,
        notes=made.notes,
        seconds=time.monotonic() - started,
        peak_memory=_peak_memory(),
        params=params,
        arithmetic=arithmetic,
    )


def _not_installed(error: ModuleNotFoundError, task: Task) -> Failure:
    request = task.request
    if request.factory and (refusal := factories.missing(error, request.factory, request.home)) is not None:
        return Failure(refusal.message, refusal.hint, final=True)
    from edgecheck.converters.routes import remedy

    package = (error.name or "A package").partition(".")[0]
    return Failure(f"{package} is not installed here.", remedy(task.extra), final=False)


def _maker(place: str) -> Callable[[Request, Path], Made]:
    """The function at `package.module:function`.

    Garbage collection is off while a framework is imported (see `process`) and never scans its modules afterwards:
    that would take a tenth of the import's time, and of every later collection.
    """
    module, _, function = place.partition(":")
    maker: Callable[[Request, Path], Made] = getattr(import_module(module), function)
    gc.freeze()
    gc.enable()
    return maker


def _in_a_line(error: Exception) -> str:
    """The error's type and its first line that is not empty."""
    said = _COLOURS.sub("", _PLACES.sub("", str(error)))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:400]}" if lines else type(error).__name__


def _peak_memory() -> int:
    """This process's own high-water mark in bytes; 0 if the kernel does not report it.

    Not `ru_maxrss`: a child inherits its parent's through exec.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024


def _die_with_parent() -> None:
    """Have the kernel kill this process when edgecheck itself is killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, _KILL)
