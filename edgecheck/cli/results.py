"""Keeps the report of every check in `.edgecheck/results/`, as it grows, so that an interruption loses nothing."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from edgecheck.core.report import Report
from edgecheck.errors import EdgecheckError
from edgecheck.reports import json_report

if TYPE_CHECKING:
    from types import TracebackType

    from edgecheck.checks.history import History

#: Inside the folder that edgecheck is called in.
PLACE = Path(".edgecheck", "results")

#: How the name of a file ends while checks are missing in it.
GROWING = ".part.json"


class Results:
    """The results file of one invocation; a context manager.

    After each check the file is a complete report; it is locked while it grows. An interruption prints how to resume.

    Args:
        folder: The folder that edgecheck is called in.
        total: How many checks there will be.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self._folder = folder / PLACE
        self._total = total
        self._file: BinaryIO | None = None
        self._failed = False
        #: The offset of the next check in the file.
        self._end = 0
        #: The checks in the file.
        self._count = 0

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt) and self._count:
            click.echo(
                f"edgecheck: {self._count:,} of {self._total:,} checks are done and saved: "
                "run the same command with --resume to continue after them.",
                err=True,
            )
        if self._file is not None:
            self._file.close()

    def keep(self, report: Report) -> None:
        """Add the report's last check. A folder that cannot be written to is reported once; the checks go on."""
        if self._failed:
            return
        try:
            self._file = self._file or self._opened(report)
            self._add(self._file, report)
        except OSError as error:
            click.echo(f"edgecheck: results are not saved: {self._folder}: {error.strerror}.", err=True)
            self._failed = True

    def finish(self) -> None:
        """Give the file the name of a complete report: no more checks come."""
        if self._file is None:
            return
        place = Path(self._file.name)
        with suppress(OSError):  # under its old name the report is as good
            place.rename(place.with_name(place.name.removesuffix(GROWING) + ".json"))

    def _opened(self, report: Report) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        ignore = self._folder.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        stamp = report.started.replace(":", "").replace("-", "").partition("+")[0]
        file = (self._folder / f"{stamp}Z-{os.getpid()}{GROWING}").open("wb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._end = _write(file, json_report.opening(report), 0)
        return file

    def _add(self, file: BinaryIO, report: Report) -> None:
        """Append the check, so that the file is complete JSON for anybody who reads it meanwhile."""
        separator = ",\n" if self._count else ""
        check = separator + json_report.line(report.results[-1])
        try:
            _write(file, check + json_report.ending(report), self._end)
        except BaseException:  # the disk is full, or Ctrl-C
            os.ftruncate(file.fileno(), self._end)
            _write(file, json_report.ending(report), self._end)
            raise
        self._end += len(check.encode())
        self._count += 1


def keep_over_time(report: Report, history: History | None, path: Path) -> None:
    """Add a report to the history; a file that cannot be written to is reported, and changes no verdict."""
    from edgecheck.checks.history import append
    from edgecheck.core.history import readings_of

    if history is None:
        return
    for words in history.left.words(path):
        click.echo(f"edgecheck: {words}", err=True)
    try:
        append(path, readings_of(report, history.commit, history.branch), lambda _words: None)
    except EdgecheckError as error:
        click.echo(f"edgecheck: the history is not kept: {error.message}", err=True)


def _write(file: BinaryIO, text: str, at: int) -> int:
    """Write all of `text` at the offset `at`; returns the offset after it."""
    left = memoryview(text.encode())
    while left:
        count = os.pwrite(file.fileno(), left, at)
        left, at = left[count:], at + count
    return at
