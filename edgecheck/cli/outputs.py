"""Where reports go: the terminal as results come, files at the end, each written whole."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli.results import replace_file
from edgecheck.core.verdict import Status
from edgecheck.errors import UsageError
from edgecheck.reports import FORMATS, Style, render

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

    from click.shell_completion import CompletionItem

    from edgecheck.core.report import CheckResult, Report

# RF-SECTION github_job: What a job on GitHub is told beside the report: annotations at the budgets' lines, and the
# job's summary.


def tell(report: Report, *, printed: str) -> None:
    """Annotations on stderr, which the runner reads as it reads stdout; the summary into the file that it names.

    Args:
        report: All of it.
        printed: The format that stdout got: where that is `github`, the annotations are told already.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    if printed != "github":
        click.echo(render("github", report), err=True, nl=False)
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    try:
        with Path(place).open("a", encoding="utf-8") as summary:
            summary.write(render("markdown", report))
    except OSError as error:
        click.echo(f"edgecheck: the job summary was not written: {place}: {error.strerror}.", err=True)


class FormatParam(click.ParamType[tuple[str, str]]):
    """`NAME` or `NAME=FILE`."""

    name = "NAME[=FILE]"

    def __init__(self, formats: Collection[str] = FORMATS) -> None:
        self._formats = formats

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The format's name and the file, which is empty for stdout."""
        if isinstance(value, tuple):
            return value
        name, _, file = value.partition("=")
        if name not in self._formats:
            self.fail(f"{name!r} is no format; there are: {', '.join(self._formats)}.", param, ctx)
        return name, file

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        """The formats' names."""
        from edgecheck.cli import candidates

        del ctx, param
        return candidates.formats(self._formats, incomplete)


class Outputs:
    """The report's destinations; a context manager.

    Raises:
        UsageError: see `ensure_places`; it is said before anything is measured.
    """

    def __init__(self, formats: tuple[tuple[str, str], ...], *, quiet: bool) -> None:
        ensure_places(formats)
        self._files = [(name, Path(file)) for name, file in formats if file]
        self._printed = next((name for name, file in formats if not file), "terminal")
        self._quiet = quiet

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout.flush()

    def show(self, result: CheckResult) -> None:
        """One check is done."""
        if self._printed != "terminal" or (self._quiet and result.status is Status.PASS):
            return
        from edgecheck.reports import terminal

        style = terminal_style()
        sys.stdout.write(terminal.paint(terminal.check(result, style.width), style) + "\n")
        sys.stdout.flush()

    def finish(self, report: Report) -> None:
        """All checks are done."""
        if self._printed == "terminal":
            from edgecheck.reports import terminal

            sys.stdout.write(terminal.paint(terminal.closing(report), terminal_style()))
        else:
            sys.stdout.write(render(self._printed, report))
        for name, path in self._files:
            write_report(path, render(name, report))

    def tell_job(self, report: Report) -> None:
        """A job on GitHub gets annotations and a summary; elsewhere nothing happens."""
        tell(report, printed=self._printed)


def terminal_style() -> Style:
    """The terminal's width; colour where it is one and nobody asked for none (https://no-color.org)."""
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR"):
        color = True
    return Style(width=max(40, shutil.get_terminal_size((100, 24)).columns), color=color)


def write_report(path: Path, text: str) -> None:
    """Write `text` to `path` whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        replace_file(path, text)
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror}.") from error


def ensure_places(formats: tuple[tuple[str, str], ...]) -> None:
    """Say what cannot be written, before anything is done for it.

    Raises:
        UsageError: a file cannot be written, or two formats want the same place.
    """
    files = [Path(file) for _, file in formats if file]
    if len(formats) - len(files) > 1:
        raise UsageError("Two formats cannot both go to stdout.", "Give one of them a file: --format json=FILE.")
    for path in files:
        ensure_writable(path)
    if len({path.resolve() for path in files}) < len(files):
        raise UsageError("Two formats cannot both go to one file.", "Give each a file of its own.")


def ensure_writable(path: Path) -> None:
    """Say that a report could not be written there, before anything is done for it.

    Raises:
        UsageError: it is a folder, or its own folder is not there or is closed.
    """
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Name a file for the report.")
    if not folder.is_dir():
        raise UsageError(f"The folder of {path} does not exist.", f"mkdir -p {folder}")
    try:
        with tempfile.TemporaryFile(dir=folder):  # permission bits do not tell of a read-only disk, nor of root's /proc
            pass
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written to: {error.strerror}.", "Name another place for the report."
        ) from error
