"""pip as a child process: private, with a deadline, and ended with all its children whatever happens."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edgecheck.bundles import pip_on_behalf
from edgecheck.deadline import Deadline
from edgecheck.errors import BundleError

#: The user's settings that would change what is downloaded here. Indexes, proxies and certificates stay theirs.
_NOT_INHERITED = (
    *("PIP_NO_DEPS", "PIP_REQUIRE_VIRTUALENV", "PIP_QUIET", "PIP_VERBOSE", "PIP_TARGET", "PIP_USER", "PIP_PLATFORM"),
    *("PIP_ABI", "PIP_IMPLEMENTATION", "PIP_PYTHON_VERSION", "PIP_NO_BINARY", "PIP_DEST", "PIP_PYTHON", "PIP_LOG"),
)


@dataclass(frozen=True, slots=True)
class Finished:
    """A pip that exited by itself."""

    succeeded: bool
    output: str
    """Its stdout and stderr, interleaved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """Runs pip for one device."""

    markers: Mapping[str, str]
    scratch: Path
    """A private, empty folder: pip's working and temporary folder."""
    deadline: Deadline
    progress: Callable[[str], None]

    def run(self, *arguments: str) -> Finished:
        """Run `pip ARGUMENTS`, reporting each package that it resolves or downloads.

        Raises:
            BundleError: pip is not installed, or it took too long.
        """
        script = Path(pip_on_behalf.__file__).read_text(encoding="utf-8")
        argv = [sys.executable, "-c", script, json.dumps(dict(self.markers)), *arguments]
        lines: list[str] = []
        with self._started(argv) as (process, expired):
            for line in process.stdout or ():
                lines.append(line)
                if phrase := _progress(line):
                    self.progress(phrase)
            code = process.wait()
        if expired.is_set():
            raise BundleError(
                "pip did not finish in the time allowed.",
                "Check the connection to the package index, or try again: what was downloaded is in pip's cache.",
            )
        return Finished(code == 0, "".join(lines))

    @contextmanager
    def _started(self, argv: list[str]) -> Iterator[tuple[subprocess.Popen[str], threading.Event]]:
        process = subprocess.Popen(
            argv,
            cwd=self.scratch,
            env=_environment(self.scratch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # so that its children can be ended with it
        )
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            _kill(process)

        timer = threading.Timer(self.deadline.remaining(), expire)
        timer.start()
        try:
            with process:
                try:
                    yield process, expired
                finally:
                    _kill(process)
        finally:
            timer.cancel()


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _environment(scratch: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    ours = {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_RETRIES": "2",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
        "TMPDIR": str(scratch),
    }
    borrowed = _borrowed_pip()
    return {**kept, **ours, **({"PYTHONPATH": str(borrowed)} if borrowed else {})}


def _borrowed_pip() -> Path | None:
    """The wheel of pip that Python carries for new environments, where this environment has no pip (as those of uv)."""
    if find_spec("pip"):
        return None
    folders = [Path("/usr/share/python-wheels")]  # where Debian keeps it
    if (ensurepip := find_spec("ensurepip")) and ensurepip.origin:
        folders.append(Path(ensurepip.origin).parent / "_bundled")
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]
    if not wheels:
        raise BundleError(
            "Making a runtime bundle needs pip, and the Python that runs edgecheck has none.",
            "Install it there (`python -m ensurepip` or `uv pip install pip`), or use --bundle system.",
        )
    return wheels[-1]


def _progress(line: str) -> str:
    """What a line of pip's output reports, as a phrase; empty for most lines."""
    if found := re.match(r"Collecting (\S+)", line) or re.match(r"Processing \S*/([^/]+?)-\d\S*\.whl", line):
        return f"resolving {found[1]}"
    if found := re.match(r"\s+Downloading (\S+?)-(\d[^-]*)-\S+\.whl \((.+)\)", line):
        return f"downloading {found[1]} {found[2]} ({found[3]})"
    return ""
