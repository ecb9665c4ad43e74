"""Runs the job of a GitLab template as the runner does: `before_script` and `script` as one script of a real shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of the job."""

    code: int
    log: str


def job_of(pipeline: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A job with what it extends; variables are merged, the rest is replaced."""
    job = dict(pipeline[name])
    if "extends" not in job:
        return job
    parent = job_of(pipeline, job.pop("extends"))
    return parent | job | {"variables": {**parent.get("variables", {}), **job.get("variables", {})}}


def included(template: Path) -> dict[str, Any]:
    """The template's pipeline."""
    return dict(yaml.safe_load(template.read_text(encoding="utf-8")))


def lines(entries: Any) -> str:
    """A script's entries as one script."""
    return "\n".join([entries] if isinstance(entries, str) else entries or [])


def run_job(
    job: Mapping[str, Any], folder: Path, given: Mapping[str, str], shell: tuple[str, ...] = ("bash",)
) -> Ended:
    """Run it in `folder`; `given` are the variables of the pipeline, which win over the job's, as in GitLab."""
    known = {"CI_PROJECT_DIR": str(folder), "CI_DEFAULT_BRANCH": "main", "CI_JOB_NAME": "edgecheck"}
    variables = {name: str(value) for name, value in job.get("variables", {}).items()} | known | dict(given)
    expanded = {
        name: re.sub(r"\$(CI_\w+)", lambda found: variables.get(found[1], ""), value)
        for name, value in variables.items()
    }
    options = "set -eo pipefail" if shell[0] == "bash" else "set -e"
    script = f"{options}\n{lines(job.get('before_script'))}\n{lines(job['script'])}\n"
    done = subprocess.run(
        [*shell, "-c", script],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "LANG": "C.UTF-8",
            "GITLAB_CI": "true",
            **expanded,
        },
        stdin=subprocess.DEVNULL,
        timeout=600,
    )
    return Ended(done.returncode, done.stdout)
