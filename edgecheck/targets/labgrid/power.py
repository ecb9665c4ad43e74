"""A place's board switched off and on, by labgrid's own client: it knows all of labgrid's power drivers."""

from __future__ import annotations

import subprocess
import sys

from edgecheck.core.text import clean
from edgecheck.errors import TargetError

#: Seconds for one command; labgrid itself waits 2 s between off and on.
_PATIENCE = 120.0

#: The module of this environment, not one of the working directory. An interruption must not come between off and on.
_BOOT = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "sys.path[:] = [each for each in sys.path if each];"
    "from labgrid.remote.client import main; main()"
)


def cycle(coordinator: str, place: str) -> None:
    """Switch the board of an acquired place off and on.

    Raises:
        TargetError: labgrid could not; it was asked to switch it on all the same.
    """
    failed = _power(coordinator, place, "cycle")
    if failed:
        _power(coordinator, place, "on")
        raise TargetError(
            f"labgrid could not power-cycle {clean(place)}: {failed}.",
            f"Try it by hand: labgrid-client -x {coordinator} -p {place} power cycle",
        )


def _power(coordinator: str, place: str, action: str) -> str:
    """Why it did not work; empty where it did."""
    argv = [sys.executable, "-c", _BOOT, "-x", coordinator, "-p", place, "power", action]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"its client did not end within {_PATIENCE:.0f} s"
    if done.returncode == 0:
        return ""
    said = (done.stderr + done.stdout).decode("utf-8", "replace").strip().splitlines()
    return clean(said[-1].strip().rstrip(".")) if said else f"exit code {done.returncode}"
