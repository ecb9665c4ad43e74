"""`edgecheck comment`: keeps one comment with the report on a pull request."""

from __future__ import annotations

import re
from pathlib import Path

import click

from edgecheck.checks import baseline
from edgecheck.cli.forges import forge_of_job
from edgecheck.errors import UsageError
from edgecheck.reports import Style, render
from edgecheck.reports.markdown import MARKER

#: What a name may have: it is in an HTML comment.
_NAME = re.compile(r"[\w .,()/+-]*")


@click.command("comment", epilog="\b\nExample:\n  edgecheck comment head.json")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@click.option("--name", default="", help="Distinguishes the comments of several jobs on one pull request.")
@click.option("--commit", default="", metavar="SHA", help="Comment on the open pull request with this head (GitHub).")
def command(file: Path, name: str, commit: str) -> int:
    """Post the report as a comment on a pull request, or update it.

    FILE holds results (JSON) or a Markdown report. The pull request is that
    of the job on GitHub (GITHUB_TOKEN) or GitLab (EDGECHECK_TOKEN) that calls
    this. Exit codes: 0 it is there, 3 it could not be posted.
    """
    marker = _marker(name)
    body = _body(file, marker)
    forge = forge_of_job(commit)
    if forge is None:
        click.echo("edgecheck: there is no pull request: nothing to comment on.", err=True)
        return 0
    there = forge.own(marker)
    if there is None:
        forge.create(body)
    elif there.body.strip() != body.strip():
        forge.update(there, body)
    return 0


def _marker(name: str) -> str:
    if not _NAME.fullmatch(name) or "--" in name:
        raise UsageError(f"--name {name!r} has characters that do not go into a comment.", "Use letters and digits.")
    return f"<!-- edgecheck: {name} -->" if name else MARKER


def _body(file: Path, marker: str) -> str:
    """The comment, rendered here: what another's job left as results cannot be more than text."""
    if file.suffix == ".md":
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} could not be read: {error}.") from error
        if not text.startswith(MARKER):
            raise UsageError(f"{file} is not a report: it does not begin with {MARKER}.", "--format markdown=FILE")
    else:
        text = render("markdown", baseline.load(file), Style())
    return marker + text[len(MARKER) :]
