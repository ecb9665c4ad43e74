"""Runs a composite action as GitHub's runner does: its very scripts, with real bash, in a real repository.

What is GitHub's own is here in small: expressions, outputs, and the cache with its rules for keys and branches.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.drop_ins.expressions import filled, holds

BIN = Path(sys.executable).parent


class Cache:
    """What jobs share: entries that never change, the newest of those that fit being taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.keys: list[str] = []

    def restore(self, given: Mapping[str, str]) -> dict[str, str]:
        """The outputs of `actions/cache/restore`."""
        prefixes = [given["key"], *given.get("restore-keys", "").split()]
        found = given["key"] if given["key"] in self.keys else ""
        for prefix in prefixes:
            found = found or next((key for key in reversed(self.keys) if key.startswith(prefix)), "")
        if not found:
            return {}
        kept = self._folder / str(self.keys.index(found))
        shutil.copytree(kept, "/", dirs_exist_ok=True, symlinks=True)
        return {"cache-matched-key": found, "cache-hit": str(found == given["key"]).lower()}

    def save(self, given: Mapping[str, str]) -> None:
        """What `actions/cache/save` does; a key that is there already stays as it is."""
        if given["key"] in self.keys:
            return
        kept = self._folder / str(len(self.keys))
        for path in (Path(name) for pattern in given["path"].split() for name in glob.glob(pattern)):  # noqa: PTH207
            place = kept / path.relative_to("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, place, symlinks=True)
            else:
                shutil.copy2(path, place)
        kept.mkdir(parents=True, exist_ok=True)
        self.keys.append(given["key"])


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of the action."""

    failed: bool
    log: str
    outputs: dict[str, str]
    summary: str
    ran: tuple[str, ...]
    """The steps that were not skipped."""
    path: tuple[str, ...]
    """Folders that later steps find commands in."""


@dataclass(slots=True)
class Runner:
    """One machine; each call of `run` is one use of the action in one job."""

    workspace: Path
    temp: Path
    cache: Cache
    github: dict[str, Any] = field(default_factory=dict)
    """The context: `event`, `ref_name`, …"""
    home: Path | None = None
    """Where caches of programs are; None: the user's own."""
    environment: dict[str, str] = field(default_factory=dict)
    """Further variables that the runner sets."""

    def run(self, action: Path, **inputs: str) -> Ended:
        """Use the action in `action`/action.yml; inputs are named with underscores for dashes."""
        described = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert set(given) <= set(described["inputs"])
        use = _Use(self, action, {name: str(one["default"]) for name, one in described["inputs"].items()} | given)
        for step in described["runs"]["steps"]:
            use.step(step)
        outputs = {name: filled(one["value"], use.contexts) for name, one in described["outputs"].items()}
        summary = use.summary.read_text(encoding="utf-8") if use.summary.exists() else ""
        return Ended(use.failed, use.log, outputs, summary, tuple(use.ran), tuple(use.path))


class _Use:
    def __init__(self, runner: Runner, action: Path, inputs: dict[str, str]) -> None:
        self.runner = runner
        self.steps: dict[str, Any] = {}
        self.contexts: dict[str, Any] = {
            "inputs": inputs,
            "steps": self.steps,
            "github": {"workflow": "gate", "job": "budget", "sha": "0" * 40, "event": {}} | runner.github,
            "runner": {"temp": str(runner.temp), "os": "Linux", "arch": "X64"},
        }
        self.failed = False
        self.log = ""
        self.ran: list[str] = []
        self.path: list[str] = []
        runner.temp.mkdir(parents=True, exist_ok=True)
        self.summary = runner.temp / "summary.md"
        self.summary.unlink(missing_ok=True)
        self.environment = {
            "HOME": os.environ["HOME"],
            "LANG": "C.UTF-8",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(action),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_WORKSPACE": str(runner.workspace),
            "RUNNER_ARCH": "X64",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(runner.temp),
            **runner.environment,
        }
        if runner.home is not None:
            self.environment["XDG_CACHE_HOME"] = str(runner.home)

    def step(self, step: Mapping[str, Any]) -> None:
        """Run one, if it is its turn."""
        if not holds(step.get("if"), self.contexts, failed=self.failed):
            self._done(step, "skipped", {})
            return
        self.ran.append(step["name"])
        if "run" in step:
            self._script(step)
            return
        given = {name: filled(value, self.contexts) for name, value in step["with"].items()}
        if step["uses"].startswith("actions/cache/restore@"):
            self._done(step, "success", self.runner.cache.restore(given))
        else:
            assert step["uses"].startswith("actions/cache/save@")
            self.runner.cache.save(given)
            self._done(step, "success", {})

    def _script(self, step: Mapping[str, Any]) -> None:
        script, told, path = (self.runner.temp / name for name in ("script.sh", "output", "path"))
        script.write_text(filled(step["run"], self.contexts), encoding="utf-8")
        told.write_text("", encoding="utf-8")
        path.write_text("", encoding="utf-8")
        folder = self.runner.workspace / filled(step.get("working-directory", "."), self.contexts)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=self.environment
            | {name: filled(value, self.contexts) for name, value in step.get("env", {}).items()}
            | {
                "PATH": os.pathsep.join([*self.path, *self._system()]),
                "GITHUB_OUTPUT": str(told),
                "GITHUB_PATH": str(path),
            },
            stdin=subprocess.DEVNULL,
            timeout=600,
        )
        self.log += f"== {step['name']}\n{done.stdout}"
        self.path = [*path.read_text(encoding="utf-8").split(), *self.path]
        outputs = dict(line.split("=", 1) for line in told.read_text(encoding="utf-8").splitlines())
        self._done(step, "failure" if done.returncode else "success", outputs)
        self.failed = self.failed or bool(done.returncode)

    def _system(self) -> list[str]:
        """What the runner's own PATH has: for `version: installed` our environment too."""
        own = [str(BIN)] if self.contexts["inputs"]["version"] == "installed" else []
        return [*own, *(each for each in os.environ["PATH"].split(os.pathsep) if each != str(BIN))]

    def _done(self, step: Mapping[str, Any], outcome: str, outputs: dict[str, str]) -> None:
        if "id" in step:
            self.steps[step["id"]] = {"outcome": outcome, "outputs": outputs}
