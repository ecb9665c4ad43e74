"""Where a report goes: to stdout as results come, to files at the end, and to the page of a job on GitHub."""

from __future__ import annotations

import io
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli.files import ensure_writable, write_report
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.verdict import Status
from edgecheck.errors import UsageError
from edgecheck.reports import Style, render

if TYPE_CHECKING:
    from types import TracebackType

    from edgecheck.reports.terminal import Told


class Outputs:
    """The destinations of one report; a context manager.

    Args:
        formats: Names of formats, each with its file: empty for stdout.
        style: How the terminal's report is laid out, apart from its width and colours.

    Raises:
        UsageError: as `ensure_places`, before anything is measured.
    """

    def __init__(self, formats: tuple[tuple[str, str], ...], style: Style) -> None:
        ensure_places(formats)
        self._files = [(name, Path(file)) for name, file in formats if file]
        self._printed = next((name for name, file in formats if not file), "terminal")
        self._style = style
        self._told: Told | None = None
        #: Results that `show` got and did not print.
        self._held: list[CheckResult] = []

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._show_held()
        sys.stdout.flush()

    def get_ready(self) -> None:
        """Import what `show` needs: while something runs elsewhere that costs no time."""
        if self._printed == "terminal":
            from edgecheck.reports import terminal

            del terminal

    def show(self, result: CheckResult, *, is_only: bool = False) -> None:
        """Print a check that passes, if stdout is for people; what does not is printed at the end, with the answer.

        Args:
            result: The check.
            is_only: Whether there will be no other.
        """
        if self._printed != "terminal":
            return
        from edgecheck.reports import terminal

        style = self._terminal()
        self._told = self._told or terminal.Told()
        if not terminal.comes_at_once(result, style, is_only=is_only):
            self._held.append(result)
            return
        sys.stdout.write(terminal.passing(result, style, self._told))
        sys.stdout.flush()

    def _show_held(self) -> None:
        """After an interruption: what was found so far and does not pass."""
        from edgecheck.reports import terminal

        style = self._terminal()
        for result in self._held:
            if result.status is not Status.PASS:
                sys.stdout.write(terminal.paint(terminal.check(result, style.width, told=self._told), style) + "\n")

    def _terminal(self) -> Style:
        """The style of this terminal, which may have another width by now."""
        found = terminal_style()
        return replace(self._style, width=found.width, color=found.color)

    def finish(self, report: Report) -> None:
        """Print the summary or, in another format, the report; then write the files."""
        if self._printed == "terminal":
            from edgecheck.reports import terminal

            sys.stdout.write(terminal.the_rest(report, self._terminal(), self._told or terminal.Told()))
            self._held.clear()
        else:
            print_report(self._printed, render(self._printed, report))
        for name, path in self._files:
            write_report(path, render(name, report))

    def annotate_job(self, report: Report) -> None:
        """In a job on GitHub, annotate the lines of the budgets and add to the job's summary; elsewhere do nothing."""
        if is_job():
            # Where they were printed, stdout has the annotations already.
            lines = "" if self._printed == "github" else render("github", report, Style())
            tell_job(lines, render("markdown", report, Style()))


def is_job() -> bool:
    """Whether edgecheck runs in a job on GitHub."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def tell_job(annotations: str, summary: str) -> None:
    """Show texts on the page of a job on GitHub.

    Args:
        annotations: Printed on stderr, which the runner reads as it reads stdout.
        summary: Markdown, appended to the file that the runner names, if it names one; empty: nothing to add.
    """
    click.echo(annotations, err=True, nl=False)
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path or not summary:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary)
    except OSError as error:
        click.echo(f"edgecheck: the job summary was not written: {path}: {error.strerror}.", err=True)


def ensure_places(formats: tuple[tuple[str, str], ...]) -> None:
    """Check that each format has a place that can be written to, before anything is measured.

    Raises:
        UsageError: a file cannot be written, or two formats want the same place.
    """
    files = [Path(file) for _, file in formats if file]
    if len(formats) - len(files) > 1:
        raise UsageError("Two formats cannot both go to stdout.", "Give one of them a file: --format json=FILE.")
    for path in files:
        ensure_writable(path)
    if len({os.path.realpath(path) for path in files}) < len(files):
        raise UsageError("Two formats cannot both go to one file.", "Name a file for each.")


def print_report(name: str, text: str) -> None:
    """Print a report in the format `name`. Those for programs are UTF-8 in every locale, as their files are."""
    if name != "terminal" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def terminal_style() -> Style:
    """The width of the terminal, and whether it has colours (NO_COLOR: https://no-color.org)."""
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR"):
        color = True
    return Style(width=max(40, shutil.get_terminal_size((100, 24)).columns), color=color)
