"""The child process of a conversion: does one task and leaves `answer.json`, or crashes, which is an answer too."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.converters import model_files
from edgecheck.converters.interface import ELSEWHERE, Made, Request
from edgecheck.converters.output_checks import ensure_converted, ensure_opens
from edgecheck.converters.safety import importing
from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_KILL = 9
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_PLACES = re.compile(r"<unknown>:0: error: loc\(.*\): ")
"""What TensorFlow's converter puts in front of what it has to say."""


def main(task_file: str, folder: str) -> None:
    """Do the task in the file; what is made goes into the folder."""
    _die_with_parent()
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    answer = _attempt(task, Path(folder))
    answer["peak_memory"] = _peak_memory()
    (Path(folder) / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # All that was asked for is on the disk: taking a framework apart takes longer than some conversions, and may crash.
    os._exit(0)


def _attempt(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    started, request = time.monotonic(), _request(task)
    try:
        made = _maker(task["maker"])(request, folder)
        facts: dict[str, Any] = {}
        if task["makes_model"]:
            gc.collect()  # the converter's own memory goes before the runtime takes some
            ensure_opens(made.files[0], request)
            ensure_converted(made.files[0], request.variant)
            facts["params"], facts["arithmetic"] = model_files.inside(made.files[0])
    except EdgecheckError as error:
        return {"message": error.message, "hint": error.hint, "final": True}
    except ModuleNotFoundError as error:
        if request.factory and (told := importing.missing(error, request.factory, request.home)) is not None:
            return {"message": told.message, "hint": told.hint, "final": True}
        from edgecheck.converters.routes import remedy

        return {
            "message": f"{(error.name or 'A package').partition('.')[0]} is not installed here.",
            "hint": remedy(task["extra"]),
            "final": False,
        }
    except Exception as error:  # noqa: BLE001 - this is the process's boundary: what a framework raises is the answer
        traceback.print_exc()
        hint = ELSEWHERE if task["makes_model"] else ""
        return {"message": f"The converter failed: {_in_a_line(error)}", "hint": hint, "final": False}
    return facts | {
        "files": [str(file.relative_to(folder)) for file in made.files],
        "route": made.route,
        "notes": made.notes,
        "seconds": time.monotonic() - started,
    }


def _maker(place: str) -> Callable[[Request, Path], Made]:
    """The function at `package.module:function`.

    A framework's modules are no garbage: looking for some takes a tenth of the import's time, and of every look later.
    This process was started without looking (`process`), and begins to here.
    """
    module, _, function = place.partition(":")
    maker: Callable[[Request, Path], Made] = getattr(import_module(module), function)
    gc.freeze()
    gc.enable()
    return maker


def _in_a_line(error: Exception) -> str:
    """The error's type and the first line that says something."""
    said = _COLOURS.sub("", _PLACES.sub("", str(error)))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:400]}" if lines else type(error).__name__


def _request(task: dict[str, Any]) -> Request:
    asked = dict(task["request"])
    asked |= {name: Path(asked[name]) for name in ("model", "home")}
    asked["samples"] = Path(asked["samples"]) if asked["samples"] else None
    asked["inputs"] = {name: tuple(shape) for name, shape in asked["inputs"].items()}
    return Request(**asked)


def _peak_memory() -> int:
    """Bytes: this process's own high-water mark; 0 where the kernel does not say.

    Never `ru_maxrss`: a child inherits its parent's through exec.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024


def _die_with_parent() -> None:
    """Let the kernel end this process when edgecheck itself is killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, _KILL)
