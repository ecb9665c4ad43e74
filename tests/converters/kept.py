"""What the tests of conversions make, kept between runs and shared by the processes of one run.

Everything that decides it is in the name of its folder: edgecheck's own code, the builders of the models, the lessons,
and the versions of all installed packages. Any change of these starts with an empty folder, as a fresh clone does.
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
    folders = (ROOT / "edgecheck", ROOT / "edgecheck_agent", ROOT / "examples" / "teaching", HERE / "building")
    for path in [*(path for folder in folders for path in sorted(folder.rglob("*.py"))), HERE / "networks.py"]:
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
            _build(script, folder)
            done.touch()
    return folder


def _build(script: str, folder: Path) -> None:
    """In a separate process: pytest's must not import TensorFlow."""
    done = subprocess.run(
        [sys.executable, HERE / "building" / script, folder],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


def lessons() -> Path:
    """The folder in which the lessons of the tutorials write their models."""
    folder = kept() / "lessons"
    folder.mkdir(exist_ok=True)
    return folder


def run(*argv: str) -> str:
    """What `python ARGV` prints at the repository's root, with its conversions in the folder of the lessons."""
    done = subprocess.run(
        [sys.executable, *argv],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(lessons())},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def printed(*argv: str) -> str:
    """What `run` returns, kept like a conversion: a lesson trains its models, and writes the date into some of them."""
    text = lessons() / f"{hashlib.sha256(repr(argv).encode()).hexdigest()[:16]}.txt"
    with text.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not text.exists():
            said = run(*argv)
            text.with_suffix(".new").write_text(said, encoding="utf-8")
            text.with_suffix(".new").replace(text)
    return text.read_text(encoding="utf-8")
