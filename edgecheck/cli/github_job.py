"""What a job on GitHub is told beside the report: annotations at the budgets' lines, and the job's summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.reports import Style, render

if TYPE_CHECKING:
    from edgecheck.core.report import Report


def tell(report: Report, *, printed: str) -> None:
    """Annotations on stderr, which the runner reads as it reads stdout; the summary into the file that it names.

    Args:
        report: All of it.
        printed: The format that stdout got: where that is `github`, the annotations are told already.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    if printed != "github":
        click.echo(render("github", report, Style()), err=True, nl=False)
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    try:
        with Path(place).open("a", encoding="utf-8") as summary:
            summary.write(render("markdown", report, Style()))
    except OSError as error:
        click.echo(f"edgecheck: the job summary was not written: {place}: {error.strerror}.", err=True)
