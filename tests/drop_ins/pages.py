"""The code in pages of the documentation, and how to run it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.drop_ins.github_runner import BIN
from tests.drop_ins.projects import Project

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"# (\S+\.\w+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    language: str
    text: str

    @property
    def file(self) -> str:
        """The file that its first line names; empty where it names none."""
        found = _NAMED.match(self.text)
        return found[1] if found else ""


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page; each has a language, by which it is known what to do with it."""
    text = page.read_text(encoding="utf-8")
    found = [Block(*groups) for groups in _BLOCK.findall(text)]
    assert found, f"{page.name} has no block"
    assert text.count("\n```") == 2 * len(found), f"{page.name} has a block without a language"
    assert not re.search(r"^ {4}\S", re.sub(_BLOCK, "", text), re.MULTILINE), f"{page.name} has code that no test runs"
    return found


def run(project: Project, script: str, **environment: str) -> str:
    """Run a block for a shell; what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=project.folder,
        env=os.environ
        | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
        | environment,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout
