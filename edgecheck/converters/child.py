"""The child process of a conversion: does one task and leaves `answer.json`, or crashes, which is an answer too."""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.opening import ensure_converted, ensure_opens
from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    from typing import Any

_KILL = 9
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_PLACES = re.compile(r"<unknown>:0: error: loc\(.*\): ")
"""What TensorFlow's converter puts in front of what it has to say."""


def main(task_file: str, folder: str) -> None:
    """Do the task in the file; what is made goes into the folder."""
    _die_with_parent()
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    answer = _attempt(task, Path(folder))
    answer["peak_memory"] = _peak_memory()
    (Path(folder) / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def _attempt(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    started = time.monotonic()
    module, _, function = task["maker"].partition(":")
    try:
        made: Made = getattr(import_module(module), function)(_request(task), folder)
        if task["makes_model"]:
            ensure_opens(made.files[0])
            ensure_converted(made.files[0], task["request"]["variant"])
    except EdgecheckError as error:
        return {"message": error.message, "hint": error.hint, "final": True}
    except ModuleNotFoundError as error:
        return {
            "message": f"{(error.name or 'A package').partition('.')[0]} is not installed here.",
            "hint": f"pip install 'edgecheck[{task['extra']}]'",
            "final": False,
        }
    except Exception as error:  # noqa: BLE001 - this is the process's boundary: what a framework raises is the answer
        traceback.print_exc()
        return {"message": f"The converter failed: {_in_a_line(error)}", "hint": "", "final": False}
    return {
        "files": [str(file.relative_to(folder)) for file in made.files],
        "route": made.route,
        "notes": made.notes,
        "seconds": time.monotonic() - started,
    }


def _in_a_line(error: Exception) -> str:
    """The error's type and the first line that says something."""
    said = _PLACES.sub("", str(error))
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
