"""Projects as users have them, made anew for each test."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from examples.real_models import fetch

#: Limits that are read from the file alone: quick, and the same everywhere.
FILES_ONLY = "pixel-8: {ram_peak: off, latency_p50: off, footprint: off, download: off}"
#: A measurement that takes a moment.
SHORT = "measure: {min_count: 10, min_time: 50 ms, warmup_time: 10 ms}"


@dataclass(frozen=True, slots=True)
class Project:
    """Its folder."""

    folder: Path

    def write(self, path: str, text: str) -> Path:
        """Write a file, whose folder is made."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def budget(self, size: str, more: str = "", devices: str = FILES_ONLY) -> Path:
        """The one budget, `budgets/net.yaml`, limiting `size`; the model is a real one of 1.56 MB."""
        return self.write(
            "budgets/net.yaml",
            f"model: ../net.onnx\n{SHORT}\nlimits:\n  size: {size}\ndevices:\n  {devices}\n{more}",
        )

    def model(self, name: str = "mtcnn_onet.onnx") -> None:
        """Put a real model into `net.onnx`."""
        (self.folder / "net.onnx").write_bytes(fetch(name).read_bytes())

    def git(self, *arguments: str) -> str:
        """Run git in the project; what it printed."""
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit all there is; the commit's name."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


def make_project(folder: Path) -> Project:
    """A folder with a real model and a budget that holds; no repository."""
    folder.mkdir(parents=True)
    made = Project(folder)
    made.model()
    made.budget("2 MB")
    return made


def make_repository(folder: Path) -> Project:
    """The same, as a git repository whose branch `main` has one commit."""
    made = make_project(folder)
    made.git("init", "--quiet")
    made.commit("a model and its budget")
    return made
