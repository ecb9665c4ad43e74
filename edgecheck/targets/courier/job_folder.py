"""One check's private folder: links to what it needs, the job, and the process of the agent."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgecheck.targets.courier import store as stores

_STDERR = "stderr"
_TOKEN = re.compile(r"[0-9a-f]{16,64}")


class JobFolder:
    """The folder of the check named `token`."""

    def __init__(self, store: stores.Store, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"{token!r} is not the name of a check")
        self.path = store.folder / "jobs" / token
        self.lines = self.path / stores.LINES
        self.left = store.folder / "left" / token
        self._store = store

    def lay_out(self, links: "dict[str, dict[str, str]]", job: "dict[str, Any]") -> None:
        """Make the folder with its links, by name, and its job.json.

        Raises:
            OSError: it cannot be made, or an item is no longer in the cache.
        """
        self.path.mkdir(mode=0o700)
        (self.path / "tmp").mkdir()
        for name, item in links.items():
            place = self._inside(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            if item["kind"] == "tree":
                place.symlink_to(self._store.tree(item["digest"]))
            else:
                _link(self._store.file(item["digest"]), place)
        (self.path / "job.json").write_text(json.dumps(dict(job, lock=True)), encoding="utf-8")

    def _inside(self, name: str) -> Path:
        parts = Path(name).parts
        if not parts or os.path.isabs(name) or ".." in parts:  # noqa: PTH117 - the question is about the text
            raise ValueError(f"{name!r} leads out of the job")
        return self.path.joinpath(*parts)

    def start(self, arguments: "list[str]") -> "subprocess.Popen[bytes]":
        """Start the agent with `arguments`; its stdin and stdout are pipes."""
        with (self.path / _STDERR).open("wb") as stderr:
            return subprocess.Popen(
                [sys.executable, str(self.path / "agent" / "edgecheck_agent" / "supervisor.py"), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                cwd=str(self.path),
                env=dict(os.environ, TMPDIR=str(self.path / "tmp")),
                start_new_session=True,
            )

    def stderr(self) -> str:
        """The end of what the agent wrote to stderr."""
        return (self.path / _STDERR).read_bytes()[-2000:].decode("utf-8", "replace").strip()

    def remove(self, *, keep_lines: bool) -> None:
        """Remove the folder, keeping the agent's lines, if asked to, for a host that comes back."""
        if keep_lines and self.lines.exists():
            self.lines.replace(self.left)
        shutil.rmtree(str(self.path), ignore_errors=True)


def _link(source: Path, place: Path) -> None:
    """Make a hard link, which outlives the first name; where the disk has none, a symbolic link."""
    try:
        os.link(str(source), str(place))
    except OSError:
        if not source.exists():
            raise
        place.symlink_to(source)
