"""One child process: started in a seal, watched, and ended together with everything that it started."""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from edgecheck import seal
from edgecheck.converters.interface import ANSWER, ELSEWHERE, Answer, Failure, Request, Task, read_answer, write_task
from edgecheck.errors import ConversionError
from edgecheck.interrupts import held

#: Seconds between two progress reports.
_TICK = 1.0

#: A folder called `onnx` or a file called `torch.py` in the user's current folder must not be imported: that folder is
#: taken off the path before any import. edgecheck may run from a checkout, so its folder is passed as an argument.
#: `child` turns garbage collection on again.
_BOOT = (
    "import gc, sys; gc.disable(); sys.path[:] = [each for each in sys.path if each] + [sys.argv[1]];"
    "from edgecheck.converters.child import main; main(*sys.argv[2:])"
)

#: What a library writes before it aborts its process.
_DEATH = re.compile("Check failed|Assertion|Fatal|terminate called|Aborted")

#: Bytes at the end of the child's output that are searched for its last words.
_TAIL = 65_536

#: Note on an artifact where nothing can seal a process.
_NOT_SEALED = "Opened without a seal: this system has neither Landlock nor a bubblewrap that works."

#: Bytes of the largest file that a child may write: several times the largest artifact that has been seen.
_LARGEST_FILE = 64 << 30

#: Processes that a child may have at once. Converters start a few, builds of extensions as many as there are cores.
_MOST_PROCESSES = 256

#: Share of this machine's memory that a child and all that it started may use; beyond it, other processes suffer.
_MOST_MEMORY = 0.9

#: No GPU, no downloads, no telemetry, no progress bars; the same hashes in every run.
_QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "tensorflow",
    "ORT_DISABLE_TELEMETRY": "1",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TQDM_DISABLE": "1",
}


class Finished(NamedTuple):
    """A task that succeeded."""

    folder: Path
    """Holds the answer and the files that it names."""
    answer: Answer


class RouteError(ConversionError):
    """This converter failed or crashed; another one may succeed."""


def perform(task: Task, scratch: Path, deadline: float, progress: Callable[[str], None]) -> Finished:
    """Do `task` in a child process.

    Args:
        task: What to do.
        scratch: A private folder; also the child's place for temporary files.
        deadline: Seconds.
        progress: Called every second with what is happening, and for how long.

    Raises:
        RouteError: the converter failed or crashed.
        ConversionError: the model, the samples or the machine prevents it, or it took too long.
    """
    out, temporary = scratch / "out", scratch / "tmp"
    for each in (out, temporary):
        each.mkdir()
    todo = scratch / "task.json"
    write_task(task, todo)
    errors = scratch / "stderr"
    argv = [sys.executable, "-c", _BOOT, str(Path(__file__).parents[2]), str(todo), str(out)]
    argv = seal.command(argv, [str(out), str(temporary)], largest_file=_LARGEST_FILE)
    with errors.open("wb") as sink, _started(argv, sink, _environment(task.request, temporary)) as process:
        peak = _watch(process, deadline, lambda seconds: progress(_progress(task.doing, seconds)))
    if not (out / ANSWER).exists():
        raise _crash(seal.exit_code(process.returncode), errors, peak)
    answer = read_answer(out)
    if isinstance(answer, Failure):
        raise (ConversionError if answer.final else RouteError)(answer.message, answer.hint)
    notes = answer.notes if seal.kind() else (*answer.notes, _NOT_SEALED)
    return Finished(out, replace(answer, notes=notes))


@contextmanager
def _started(argv: list[str], sink: BinaryIO, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own session; at the end, whatever happened, it is killed with all that it started."""
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
                left = [each.pid for each in _family(process.pid)]
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                for pid in left:  # those that left the group
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()


def _environment(request: Request, temporary: Path) -> dict[str, str]:
    """The child's environment: no tokens, no keys.

    Without the variable that is forced, torch falls back to unsafe loading inside a .pt2.
    """
    forced = {} if request.trusted else {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
    return {**seal.environment(os.environ), **_QUIET, **forced, "TMPDIR": str(temporary)}


def _watch(process: subprocess.Popen[bytes], deadline: float, tick: Callable[[float], None]) -> int:
    """Wait for the end, or the deadline; returns the peak memory of its largest process in bytes."""
    started, peak = time.monotonic(), 0
    while True:
        seconds = time.monotonic() - started
        tick(seconds)
        if seconds >= deadline:
            raise ConversionError(
                f"The conversion took over {deadline:.0f} s and was stopped.",
                "Try a smaller model, another variant, or more time.",
            )
        if _has_ended(process, min(_TICK, deadline - seconds)):
            return peak
        family = _family(process.pid)
        peak = max([peak, _resident(process.pid), *(_resident(each.pid) for each in family)])
        _ensure_modest(family)


class _Relative(NamedTuple):
    """One process of a child's family."""

    pid: int
    memory: int
    """Resident bytes."""


def _family(root: int) -> list[_Relative]:
    """The processes of the session that `root` leads and all that they started; empty without /proc (macOS)."""
    found: dict[int, tuple[int, int, int]] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # proc_pid_stat(5), after the name in parentheses: state, ppid, pgrp, session, …; the 24th field is rss
            fields = each.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            found[int(each.parent.name)] = (int(fields[1]), int(fields[3]), int(fields[21]))
    family = {root}
    while (
        more := {pid for pid, (parent, session, _) in found.items() if parent in family or session in family} - family
    ):
        family |= more
    return [_Relative(pid, found[pid][2] * resource.getpagesize()) for pid in family if pid in found]


def _ensure_modest(family: list[_Relative]) -> None:
    """Check that a child leaves room for others.

    Raises:
        ConversionError: it does not.
    """
    memory, most = sum(each.memory for each in family), int(_MOST_MEMORY * _installed())
    if most and memory > most:
        raise ConversionError(
            f"The conversion was stopped at {memory / 2**30:.1f} GiB: it would take all of this machine's memory.",
            "Convert on a machine with more memory.",
        )
    if len(family) > _MOST_PROCESSES:
        raise ConversionError(
            f"The conversion was stopped: it had started {len(family)} processes.",
            "No converter needs that many: the model or its factory starts them.",
        )


def _installed() -> int:
    """Bytes of this machine's memory; 0 if the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    except (ValueError, OSError):
        return 0


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for at most that long; returns whether the process has ended.

    `Popen.wait` with a timeout polls every 50 ms, a tenth of the shortest conversions' time; a pidfd wakes immediately.
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
    """The process's high-water mark in bytes; 0 if the kernel does not report it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


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
    if code == seal.UNSEALED:
        return ConversionError(
            f"The converter was not started: no seal could be put around it{_last_words(errors)}.",
            "A container's security profile may forbid it; see docs/explanation/security.md.",
        )
    return RouteError(f"The converter ended with exit code {code}{_last_words(errors)}.", ELSEWHERE)


def _last_words(errors: Path, like: re.Pattern[str] = re.compile(".")) -> str:
    """The last line of the child's output that matches, after a colon; empty if none does."""
    with errors.open("rb") as stream:
        stream.seek(max(0, errors.stat().st_size - _TAIL))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    found = [line.strip() for line in lines if like.search(line)]
    return f": {found[-1][:400].rstrip('.')}" if found else ""
