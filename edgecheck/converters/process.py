"""One child process: started, watched, and ended with everything that it started."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import edgecheck
from edgecheck.converters.interface import ELSEWHERE
from edgecheck.errors import ConversionError
from edgecheck.interrupts import held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

    from edgecheck.converters.interface import Request

_TICK = 1.0
"""Seconds between two words of progress."""

#: A folder called `onnx` or a file called `torch.py` where the user happens to be must not be imported: the current
#: folder leaves the path before anything is. edgecheck itself may be run from a checkout, so its place is named.
_BOOT = (
    "import gc, sys; gc.disable(); sys.path[:] = [each for each in sys.path if each] + [sys.argv[1]];"
    "from edgecheck.converters.child import main; main(*sys.argv[2:])"
)

_DEATH = re.compile("Check failed|Assertion|Fatal|terminate called|Aborted")
"""What a library says before it ends the process itself."""
_TAIL = 65_536

_QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TQDM_DISABLE": "1",
}


@dataclass(frozen=True, slots=True)
class Task:
    """What one child does."""

    maker: str
    """`package.module:function`, which takes a request and a folder and gives a `Made`."""
    request: Request
    extra: str
    """The extra of edgecheck that installs what the function imports."""
    doing: str
    """For a person: `converting to int8 with TensorFlow's converter`."""
    makes_model: bool = True
    """Whether the first file it makes is a model of the request's variant."""


class RouteError(ConversionError):
    """This converter failed or crashed; another one may succeed."""


def perform(task: Task, scratch: Path, deadline: float, tell: Callable[[str], None]) -> Path:
    """Do `task` in a child; the folder that holds `answer.json` and what was made.

    Args:
        task: What to do.
        scratch: A private folder; also the child's place for temporary files.
        deadline: Seconds.
        tell: Is told what happens and for how long already.

    Raises:
        RouteError: the converter failed or crashed.
        ConversionError: the model, the samples or the machine is in the way, or it took too long.
    """
    out, temporary = scratch / "out", scratch / "tmp"
    for each in (out, temporary):
        each.mkdir()
    asked = scratch / "task.json"
    asked.write_text(json.dumps(asdict(task), default=str), encoding="utf-8")
    errors = scratch / "stderr"
    argv = [sys.executable, "-c", _BOOT, str(Path(edgecheck.__file__).parents[1]), str(asked), str(out)]
    with errors.open("wb") as sink, _started(argv, sink, _environment(task.request, temporary)) as process:
        peak = _watch(process, deadline, lambda seconds: tell(_progress(task.doing, seconds)))
    if not (out / "answer.json").exists():
        raise _crash(process.returncode, errors, peak)
    _raise_failure(json.loads((out / "answer.json").read_text(encoding="utf-8")))
    return out


@contextmanager
def _started(argv: list[str], sink: BinaryIO, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own; at the end, whatever that is, its whole group is ended."""
    process = None
    try:
        with held():
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment, start_new_session=True
            )
        yield process
    finally:
        with held():
            if process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _environment(request: Request, temporary: Path) -> dict[str, str]:
    """The child's environment; torch falls back to unsafe loading inside a .pt2 unless it is told not to."""
    forced = {} if request.trusted else {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
    return {**os.environ, **_QUIET, **forced, "TMPDIR": str(temporary)}


def _watch(process: subprocess.Popen[bytes], deadline: float, tick: Callable[[float], None]) -> int:
    """Wait for the end, or the deadline; the child's peak, in bytes."""
    started, peak = time.monotonic(), 0
    while True:
        seconds = time.monotonic() - started
        tick(seconds)
        if seconds >= deadline:
            raise ConversionError(
                f"The conversion took over {deadline:.0f} s and was ended.",
                "Try a smaller model, another variant, or more time.",
            )
        if _ended(process, min(_TICK, deadline - seconds)):
            return peak
        peak = max(peak, _resident(process.pid))


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait so long at most; whether the process has come to its end.

    `Popen.wait` with a time looks every 50 ms, which is a tenth of what the shortest conversions take; Linux wakes who
    waits at once.
    """
    try:
        watched = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # macOS, Linux before 5.3, a sandbox that forbids it
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return process.returncode is not None
    try:
        ending = select.poll()
        ending.register(watched, select.POLLIN)
        ending.poll(seconds * 1000)
    finally:
        os.close(watched)
    return process.poll() is not None


def _progress(doing: str, seconds: float) -> str:
    return f"{doing}, {seconds:.0f} s" if seconds >= _TICK else doing


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _raise_failure(answer: dict[str, Any]) -> None:
    if "message" in answer:
        kind = ConversionError if answer["final"] else RouteError
        raise kind(answer["message"], answer["hint"])


def _crash(code: int, errors: Path, peak: int) -> ConversionError:
    """The error for a child that left no answer."""
    if code == -signal.SIGKILL:
        reached = f" after it had reached {peak / 2**30:.1f} GiB" if peak else ""
        return ConversionError(
            f"The converter was killed{reached}: most likely this machine ran out of memory.",
            "Convert on a machine with more memory.",
        )
    if code < 0:
        said = _last_words(errors, _DEATH)
        return RouteError(f"The converter crashed with {signal.Signals(-code).name}{said}.", ELSEWHERE)
    return RouteError(f"The converter ended with exit code {code}{_last_words(errors)}.", ELSEWHERE)


def _last_words(errors: Path, like: re.Pattern[str] = re.compile(".")) -> str:
    """The last line of what the child wrote that is `like` this, behind a colon; empty where there is none."""
    with errors.open("rb") as stream:
        stream.seek(max(0, errors.stat().st_size - _TAIL))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    found = [line.strip() for line in lines if like.search(line)]
    return f": {found[-1][:400].rstrip('.')}" if found else ""
