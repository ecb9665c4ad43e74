"""Problems of a file that a user edits, each with its place, and the sentences they share."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.core.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PLAIN_KEY = re.compile(r"[\w+-]{1,64}")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a problem is; lines and columns count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend: what was found and what is taken."""

    place: Place
    path: str
    """The keys that lead to it, such as `devices.raspberry-pi-5-8gb.size`; empty for the whole file."""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.message) if part)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look at files found, each in the order of files and lines."""

    files: int
    """How many files were looked at."""
    problems: tuple[Problem, ...]
    """They stop a check before it starts."""
    warnings: tuple[Problem, ...]
    """The files are valid, and this is doubtful."""


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
    """`; did you mean X?` where a known name is near, else nothing."""
    near = nearest(name, known)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def nearest(name: str, known: Iterable[str]) -> Sequence[str]:
    """At most two known names that a typo may have stood for, the likeliest first."""
    names = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name[:64].lower(), names, n=2, cutoff=0.7)
    return [names[candidate] for candidate in found]
