"""Every report is kept under `.edgecheck/results/`, as it grows, so that an interruption loses nothing."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.reports import Style, render

if TYPE_CHECKING:
    from edgecheck.core.report import Report


class Results:
    """The file of one invocation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".edgecheck" / "results"
        self._told = False

    def keep(self, report: Report) -> None:
        """Write the report so far; a folder that cannot be written is told once and does not stop the check."""
        stamp = report.started.replace(":", "").replace("-", "").partition("+")[0]
        place = self._folder / f"{stamp}Z-{os.getpid()}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            ignore = self._folder.parent / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            replace_file(place, render("json", report, Style()))
        except OSError as error:
            if not self._told:
                click.echo(f"edgecheck: results are not kept: {self._folder}: {error.strerror}.", err=True)
            self._told = True


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
