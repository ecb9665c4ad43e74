"""What the tests of conversions make, kept between runs and shared by the processes of one run.

Everything that decides it is in the name of its folder: edgecheck's own code, the builders of the models, and the
versions of all installed packages. Any change of these starts with an empty folder, as a fresh clone does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

#: Folders of earlier code that stay, for a look at another commit.
_EARLIER = 2


@cache
def kept() -> Path:
    """The folder for what is made now."""
    folder = ROOT / ".edgecheck" / "tests" / _digest()
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    by_use = sorted(folder.parent.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    for each in by_use[1 + _EARLIER :]:
        shutil.rmtree(each, ignore_errors=True)
    return folder


def _digest() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for folder in (ROOT / "edgecheck", ROOT / "edgecheck_agent", HERE / "building"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update(repr(sorted({(each.name, each.version) for each in distributions()})).encode())
    return digest.hexdigest()[:16]


def built(script: str) -> Path:
    """The folder of the models that a script of `building` makes: in its place, for some hold its path."""
    folder = kept() / "models" / Path(script).stem
    done = folder.with_suffix(".done")
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _run(script, folder)
            done.touch()
    return folder


def _run(script: str, folder: Path) -> None:
    """In a separate process: pytest's must not import TensorFlow."""
    done = subprocess.run(
        [sys.executable, HERE / "building" / script, folder],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
