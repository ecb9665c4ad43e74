"""Problems of a file that a user edits, each with its place, and valid examples to show with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgecheck.core.units import shown

#: A key that a path shows without quotes.
_PLAIN_KEY = re.compile(r"[\w+-]{1,64}")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a problem is; lines and columns count from 1, and 0 means the entire file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to fix."""

    place: Place
    #: The keys that lead to it, such as `devices.raspberry-pi-5-8gb.size`; empty for the entire file.
    path: str
    #: What was found and what was expected.
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.message) if part)


@dataclass(frozen=True, slots=True)
class Findings:
    """What linting found, in the order of files and lines."""

    #: How many files were read.
    files: int
    #: They stop a check before it starts.
    problems: tuple[Problem, ...]
    #: What is valid but doubtful.
    warnings: tuple[Problem, ...]


class RefusedError(Exception):
    """A file cannot be read further; `problem` says why. Never leaves `edgecheck.config`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def path_text(parts: Iterable[str | int]) -> str:
    """Keys and list positions as one dotted text; a key that would be hard to read is quoted."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _PLAIN_KEY.fullmatch(part) else shown(part)
            text += f".{name}" if text else name
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` if a known name is similar, else nothing."""
    near = nearest(name, known)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def nearest(name: str, known: Iterable[str]) -> Sequence[str]:
    """At most two known names that `name` may be a typo of, the likeliest first."""
    import difflib  # only a typo pays for it

    names = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name[:64].lower(), names, n=2, cutoff=0.7)
    return [names[candidate] for candidate in found]


#: A valid budget, profile and project, as short as they can be.
BUDGET = """\
model: model.tflite
limits:
  size: 5 MB
  ram_peak: 80 MiB
devices:
  raspberry-pi-4-2gb: {latency_p50: 50 ms}
"""

PROFILE = """\
name: Raspberry Pi 4 Model B (2 GB)
class: single-board-computer
soc: Broadcom BCM2711
identity: {model: "Raspberry Pi 4 Model B", cpu_part: "0xd08"}
cpu: {core: cortex-a72, count: 4, clock: 1.8 GHz}
ram: {total: 2 GiB, reserved: 180 MiB}
storage: {total: 16 GB, reserved: 4 GB}
limits: {ram_peak: 512 MiB, footprint: 500 MB, latency_p50: 100 ms}
python: "3.11"
runtimes: {tflite: [ai-edge-litert==2.3.0]}
"""

PROJECT = """\
budgets: budgets
targets:
  raspberry-pi-4-2gb: ssh://pi@raspberrypi.local
"""


def _indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


BUDGET_HINT = "A valid budget:\n\n" + _indented(BUDGET)
PROFILE_HINT = "A valid profile:\n\n" + _indented(PROFILE)
PROJECT_HINT = "A valid edgecheck.yaml:\n\n" + _indented(PROJECT)
