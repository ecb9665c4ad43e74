"""A file of the user's that a command edits: the change shown as a diff, or written whole or not at all."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from edgecheck.cli.results import replace_file
from edgecheck.config.text_file import shown_path
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def show(file: Path, before: str, after: str) -> None:
    """Print the change as a unified diff."""
    name = shown_path(file)
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for line in difflib.unified_diff(*lines, name, name):
        click.echo(line.rstrip("\r\n"))


def write(file: Path, text: str) -> None:
    """Whole or not at all, where a link points to, with the mode that it has.

    Raises:
        UsageError: it cannot be written.
    """
    place = file.resolve()
    mode = place.stat().st_mode
    try:
        replace_file(place, text)
        place.chmod(mode)
    except OSError as error:
        raise UsageError(f"{file} could not be written: {error.strerror}.") from error
