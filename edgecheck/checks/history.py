"""The history of results: its file, and a check that knows it and adds to it.

The file has a line of JSON for each figure, appended by any number of processes, and never rewritten.

    {"edgecheck_history": 1, "at": "2026-11-29T16:00:00+00:00", "commit": "1a2b3c…", "branch": "main",
     "lineage": "budgets/face.yaml", "variant": "as-is", "device": "raspberry-pi-4-2gb", "runtime": "", "where": "",
     "metric": "size", "provenance": "static", "value": 229080.0, "limit": 250000.0, "status": "pass", "run": "…"}

A writer holds the kernel's lock on the file while it appends. A line that was cut off, by a power cut or a copy, is
left out and counted, as are lines of later versions; the next writer begins a new line.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from sys import intern
from typing import Any, BinaryIO

from edgecheck.core.creep import creeping
from edgecheck.core.history import STATUSES, Key, Reading, Series, readings_of, series_of
from edgecheck.core.report import CheckResult, Report
from edgecheck.deadline import Deadline
from edgecheck.errors import UndecidedError, UsageError

#: Where the history is if no other file is named.
DEFAULT = Path(".edgecheck", "history.jsonl")

#: Raised when an older edgecheck could misread a line; each line has its version.
VERSION = 1

#: Seconds for which a writer waits for another one, and between two attempts.
_PATIENCE, _PAUSE = 30, 0.02

#: Bytes that are read at once from the end, and when runs are looked for.
_CHUNK = 1 << 22

_RUN = re.compile(rb'"run": "([0-9a-f]{16})"')


@dataclass(slots=True)
class Left:
    """Lines that were left out while a history was read."""

    damaged: int = 0
    newer: int = 0
    first: list[int] = field(default_factory=list)
    """The numbers of the first damaged lines, from 1."""

    def words(self, path: Path) -> list[str]:
        """A sentence for each reason, for stderr."""
        said = []
        if self.damaged:
            where = (
                f"line {self.first[0]:,}"
                if self.damaged == 1
                else f"{self.damaged:,} lines, line {self.first[0]:,} first,"
            )
            said.append(f"{path}: {where} {'is' if self.damaged == 1 else 'are'} cut off or damaged and left out.")
        if self.newer:
            many = "a line is" if self.newer == 1 else f"{self.newer:,} lines are"
            said.append(f"{path}: {many} of a later edgecheck and left out; update edgecheck to read them.")
        return said


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings to take: texts that a part of a key contains; empty: all."""

    lineage: str = ""
    variant: str = ""
    device: str = ""
    branch: str = ""
    metrics: tuple[str, ...] = ()

    def takes(self, key: Key, reading: Reading) -> bool:
        """Whether a reading is wanted."""
        return (
            self.lineage in key.lineage
            and self.variant in ("", key.variant)
            and self.device in ("", key.device)
            and self.branch in ("", reading.branch)
            and (not self.metrics or key.metric in self.metrics)
        )

    def needles(self) -> list[bytes]:
        """Bytes that a line of each wanted reading contains, so that other lines need not be parsed."""
        pairs = [("variant", self.variant), ("device", self.device), ("branch", self.branch)]
        if len(self.metrics) == 1:
            pairs.append(("metric", self.metrics[0]))
        return [f'"{name}": {json.dumps(text)}'.encode() for name, text in pairs if text]


def read(path: Path, wanted: Wanted, left: Left) -> list[Series]:
    """The series in a history file.

    Args:
        path: The file.
        wanted: Which readings to take.
        left: Gets what was left out.

    Raises:
        UsageError: it cannot be read, or no line of it is a history's.
    """
    _ensure_file(path)
    try:
        with path.open("rb") as file:
            found = series_of(_readings(file, wanted, left))
    except OSError as error:
        hint = "Begin one: edgecheck history add" if error.errno == errno.ENOENT else ""
        raise UsageError(f"{path} could not be read: {error.strerror}.", hint) from error
    if not found and left.damaged and not left.newer and not wanted.needles():
        raise UsageError(f"{path} is not a history of edgecheck.", "Name a file that `edgecheck history add` wrote.")
    return found


def _readings(lines: Iterable[bytes], wanted: Wanted, left: Left) -> Iterator[tuple[Key, Reading]]:
    needles = wanted.needles()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        is_other = not all(needle in text for needle in needles)
        if not text or (is_other and text.startswith(b"{") and text.endswith(b"}")):  # a damaged one may be wanted
            continue
        try:
            pair = _pair(json.loads(text))
        except (ValueError, KeyError, TypeError, RecursionError):
            left.damaged += 1
            left.first += [number] if not left.first else []
            continue
        if pair is None:
            left.newer += 1
        elif wanted.takes(*pair):
            yield pair


def _pair(row: dict[str, Any]) -> tuple[Key, Reading] | None:
    """Key and reading of a line; None for one of a later version.

    Raises:
        ValueError, KeyError, TypeError: it is damaged.
    """
    version = row["edgecheck_history"]
    if version != VERSION:
        if isinstance(version, int) and version > VERSION:
            return None
        raise ValueError("not a history")
    key = Key(*(intern(row[name]) for name in Key._fields))
    at, limit = intern(row["at"]), row["limit"]
    if datetime.fromisoformat(at).tzinfo is None:
        raise ValueError("a time without its zone")
    commit, branch = intern(row["commit"]), intern(row["branch"])
    value, status = float(row["value"]), intern(row["status"])
    if not math.isfinite(value) or status not in STATUSES:
        raise ValueError("not a figure")
    bound = None if limit is None else float(limit)
    return key, Reading(at, commit, branch, value, bound, status, intern(row["run"]))


def append(path: Path, pairs: Iterable[tuple[Key, Reading]], progress: Callable[[str], None]) -> int:
    """Add readings to the file, without those of checks that it has; returns how many were added.

    Raises:
        UsageError: the file or its folder cannot be written to.
        UndecidedError: another process holds the file.
    """
    _ensure_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file, _locked(file.fileno(), path, progress):
            known = _runs(file)
            lines = [_line(key, reading) for key, reading in pairs if reading.run.encode() not in known]
            if lines:
                _write(file.fileno(), b"".join(lines))
            return len(lines)
    except OSError as error:
        raise UsageError(
            f"{path} could not be written: {error.strerror}.", "Name another file for the history with --file."
        ) from error


def _ensure_file(path: Path) -> None:
    """Check that the history is, or will be, a file: a device or a pipe may have no end.

    Raises:
        UsageError: it is something else.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UsageError(f"{path} is not a file, which a history must be.", "Name a file: --history history.jsonl")


def _line(key: Key, reading: Reading) -> bytes:
    row = {"edgecheck_history": VERSION, **key._asdict(), **reading._asdict()}
    return json.dumps(row, allow_nan=False).encode() + b"\n"


def _runs(file: BinaryIO) -> set[bytes]:
    """The runs that the file has, found without parsing its lines."""
    file.seek(0)
    found: set[bytes] = set()
    rest = b""
    while chunk := file.read(_CHUNK):
        text = rest + chunk
        found.update(_RUN.findall(text))
        rest = text[-64:]
    return found


def _write(handle: int, block: bytes) -> None:
    """Append all of the block, or nothing: after a full disk the file is as it was."""
    end = os.fstat(handle).st_size
    if end and os.pread(handle, 1, end - 1) != b"\n":
        block = b"\n" + block
    left = memoryview(block)
    try:
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    except BaseException:  # the disk is full, or Ctrl-C
        os.ftruncate(handle, end)
        raise


@contextmanager
def _locked(handle: int, path: Path, progress: Callable[[str], None]) -> Iterator[None]:
    deadline = Deadline.after(_PATIENCE)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            progress(f"waiting for another edgecheck that writes {path}")
            if deadline.passed():
                raise UndecidedError(
                    f"{path} is held by another process.", "Add the results later: edgecheck history add"
                ) from None
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


@dataclass(frozen=True, slots=True)
class History:
    """What was measured before, and for which commit the new results are."""

    series: Mapping[Key, Series]
    commit: str
    branch: str
    left: Left
    """Lines that were left out."""

    def judge(self, result: CheckResult, report: Report) -> CheckResult:
        """`result` of a report without it, with a caveat for each metric that creeps to its limit, itself included."""
        own = replace(report, results=(result,))
        found = [self._with(key, reading) for key, reading in readings_of(own, self.commit, self.branch)]
        return replace(result, caveats=(*result.caveats, *creeping(found)))

    def _with(self, key: Key, reading: Reading) -> Series:
        """The series on the branch, with a new reading; other branches' steps are not this one's."""
        known = self.series.get(key)
        before = known.readings if known is not None else ()
        same = tuple(one for one in before if one.branch in ("", self.branch) or _is_main(one.branch))
        return Series(key, (*same, reading))


#: Branches from which others start.
_MAIN = ("main", "master", "trunk", "develop")


def _is_main(branch: str) -> bool:
    return branch in _MAIN


def load_history(path: Path, commit: str, branch: str) -> History:
    """The history in a file, or an empty one if the file does not exist yet.

    Raises:
        UsageError: the file cannot be read, or is not a history.
    """
    left = Left()
    found = read(path, Wanted(), left) if path.exists() else []
    return History({series.key: series for series in found}, commit, branch, left)
