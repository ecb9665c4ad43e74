"""Every report is kept under `.edgecheck/results/`, as it grows, so that an interruption loses nothing."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.reports import json_report

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

    from edgecheck.core.report import Report

#: Below the folder that edgecheck is called in.
PLACE = Path(".edgecheck", "results")

#: The end of a file's name as long as checks are missing in it.
GROWING = ".part.json"


class Results:
    """The file of one invocation: a whole report after each check, and locked as long as it grows; a context manager.

    An interruption is told what to do next.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self._folder = folder / PLACE
        self._total = total
        self._file: BinaryIO | None = None
        self._end = 0
        """Where the next check goes."""
        self._failed = False
        self._count = 0
        """Checks in it."""

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt) and self._count:
            click.echo(
                f"edgecheck: {self._count:,} of {self._total:,} checks are done and kept: "
                "the same command with --resume goes on after them.",
                err=True,
            )
        if self._file is not None:
            self._file.close()

    def keep(self, report: Report) -> None:
        """Add the report's last check; a folder that cannot be written is told once and does not stop the check."""
        if self._failed:
            return
        try:
            self._file = self._file or self._opened(report)
            self._add(self._file, report)
        except OSError as error:
            click.echo(f"edgecheck: results are not kept: {self._folder}: {error.strerror}.", err=True)
            self._failed = True

    def finish(self) -> None:
        """No more checks come: the file gets the name of a whole report."""
        if self._file is None:
            return
        place = Path(self._file.name)
        with suppress(OSError):  # under its old name it is worth as much
            place.rename(place.with_name(place.name.removesuffix(GROWING) + ".json"))

    def _opened(self, report: Report) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        ignore = self._folder.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        stamp = report.started.replace(":", "").replace("-", "").partition("+")[0]
        file = (self._folder / f"{stamp}Z-{os.getpid()}{GROWING}").open("wb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._end = _written(file, json_report.opening(report), 0)
        return file

    def _add(self, file: BinaryIO, report: Report) -> None:
        """Whoever reads the file meanwhile finds whole JSON, and so does the next invocation after an interruption."""
        separator = ",\n" if self._count else ""
        check = separator + json_report.line(report.results[-1])
        try:
            _written(file, check + json_report.ending(report), self._end)
        except BaseException:  # the disk is full, or Ctrl-C
            os.ftruncate(file.fileno(), self._end)
            _written(file, json_report.ending(report), self._end)
            raise
        self._end += len(check.encode())
        self._count += 1


def _written(file: BinaryIO, text: str, at: int) -> int:
    """Write all of `text` at an offset; gives the one behind it."""
    left = memoryview(text.encode())
    while left:
        count = os.pwrite(file.fileno(), left, at)
        left, at = left[count:], at + count
    return at


def replace_file(place: Path, text: str) -> None:
    """Write `text` to `place` whole or not at all."""
    handle, scratch = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).chmod(0o666 & ~_umask())
        Path(scratch).replace(place)
    except BaseException:
        with suppress(OSError):
            Path(scratch).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
