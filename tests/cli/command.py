"""Runs the real `edgecheck` as a user's shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

EDGECHECK = str(Path(sys.executable).parent / "edgecheck")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


def edgecheck(*arguments: str | Path, cwd: Path, **environment: str) -> Done:
    """Run `edgecheck ARGUMENTS` in `cwd` and wait for it."""
    done = subprocess.run(
        [EDGECHECK, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    return Done(done.returncode, done.stdout, done.stderr)
