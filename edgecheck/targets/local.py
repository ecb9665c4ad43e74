"""This machine as the device: the agent runs as a child process, in a private folder, and its workers in a seal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

from edgecheck import seal
from edgecheck.core.address import LOCAL, Address
from edgecheck.core.device import DeviceProfile
from edgecheck.core.protocol import EVENTS, LONGEST_LINE, MisfitError, parsed
from edgecheck.core.text import clean
from edgecheck.errors import TargetError
from edgecheck.interrupts import held
from edgecheck.scratch import scratch
from edgecheck.targets.interface import START, Workload, agent_folder

#: Seconds for the agent to end itself and its workers once its stdin is closed, before it is killed.
GRACE = 5.0

#: Bytes of the largest file that a worker may write: runtimes write none, or a small cache.
_LARGEST_FILE = 1 << 30


def open_target(address: Address, profile: DeviceProfile) -> LocalTarget:
    """This machine, for any profile."""
    del profile
    return LocalTarget(address=address)


#: Seconds for a probe, which asks the installed runtimes what they were built with.
_PROBING = 120.0


def probe(distributions: Iterable[str]) -> Mapping[str, Any]:
    """What this machine is, without running a model on it.

    The agent's `device` event (docs/reference/agent-protocol.md), and `installed`: versions by distribution.

    Raises:
        TargetError: the agent does not answer.
    """
    argv = [sys.executable, str(agent_folder().parent / START), "--probe"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=_PROBING)
        event = EVENTS["device"](parsed(done.stdout), "device")
    except (OSError, subprocess.SubprocessError, MisfitError) as error:
        raise TargetError(
            f"This machine's agent did not answer: {_why(error)}.", "See what works here: edgecheck doctor"
        ) from error
    return {**event, "installed": {name: found for name in distributions if (found := _version(name))}}


def _why(error: Exception) -> str:
    match error:
        case subprocess.TimeoutExpired():
            return f"it did not end within {error.timeout:.0f} s"
        case subprocess.CalledProcessError():
            lines = error.stderr.decode(errors="replace").strip().splitlines()
            return clean(lines[-1]).rstrip(".") if lines else f"it ended with status {error.returncode}"
        case _:
            return str(error)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTarget:
    """See `Target`."""

    address: Address = LOCAL
    has_runtime: bool = True
    emulated: bool = False
    tight: None = None

    @contextmanager
    def launch(self, workload: Workload, progress: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`."""
        with scratch() as folder:
            job, temporary = folder / "job.json", folder / "tmp"
            temporary.mkdir()
            job.write_text(json.dumps(_job(workload, temporary, progress)), encoding="utf-8")
            with _started(job, temporary) as process:
                assert process.stdout is not None  # noqa: S101 - a pipe was requested
                lines = iter(partial(process.stdout.readline, LONGEST_LINE + 1), b"")
                yield chain(_unsealed(), lines)


def _unsealed() -> Iterator[bytes]:
    """A note on a run whose workers nothing seals, as a line of the agent's."""
    if seal.kind() != "landlock":
        message = "the model ran without a seal, since this system has no Landlock: it could write files and connect"
        yield json.dumps({"event": "note", "code": "unsealed", "message": message}).encode() + b"\n"


def _job(workload: Workload, temporary: Path, progress: Callable[[str], None]) -> dict[str, object]:
    python_path: list[str] = []
    if workload.requirements:
        from edgecheck.bundles import bundle_for, host_platform, unpacked

        bundle = bundle_for(workload.requirements, host_platform(), progress=progress)
        python_path = [str(unpacked(bundle))]
    return {
        **workload.job,
        "model": str(workload.model[0].resolve()),
        "samples": str(workload.samples.resolve()) if workload.samples else None,
        "python_path": python_path,
        "launcher": _launcher(temporary),
        "lock": True,
        "watch_stdin": True,
    }


def _launcher(temporary: Path) -> list[str]:
    """What seals a worker, which opens the model: it may write into its temporary folder.

    bubblewrap does not do: the measured process would be a child of the one that the supervisor started.
    """
    return seal.command([], [str(temporary)], largest_file=_LARGEST_FILE) if seal.kind() == "landlock" else []


@contextmanager
def _started(job: Path, temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    supervisor = agent_folder().parent / START
    with ExitStack() as stack:
        with held():
            process = subprocess.Popen(
                [sys.executable, str(supervisor), str(job)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**seal.environment(os.environ), "TMPDIR": str(temporary)},
                start_new_session=True,  # Ctrl-C reaches edgecheck alone; closing its stdin ends the agent
            )
            stack.callback(_end, process)
        yield process


def _end(process: subprocess.Popen[bytes]) -> None:
    with held():  # an impatient second Ctrl-C must not leave the agent behind
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
