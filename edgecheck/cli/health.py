"""`edgecheck devices health`: runs a small reference on every board, and says which is out of line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli import options
from edgecheck.cli.files import write_report
from edgecheck.cli.outputs import ensure_places, print_report
from edgecheck.cli.progress import Progress
from edgecheck.config import load_project
from edgecheck.errors import UndecidedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.config import Profiles
    from edgecheck.core.health import BoardHealth
    from edgecheck.core.history import Series
    from edgecheck.core.report import Report

#: Where the readings are kept if no other file is named.
DEFAULT = Path(".edgecheck", "health.jsonl")

_EXAMPLES = """
\b
Examples:
  edgecheck devices health
  edgecheck devices health --device raspberry-pi-4-2gb
  edgecheck devices health --format json=health.json
  edgecheck history show --file .edgecheck/health.jsonl
"""


@click.command("health", epilog=_EXAMPLES)
@options.DEVICE
@options.file_option(DEFAULT, "The history of the boards.")
@click.option(
    "--bundle",
    type=click.Choice(["system", "profile"]),
    default=None,
    help="Use the runtime installed on the boards, or the profile's. [default: by target]",
)
@options.format_option(("terminal", "json"))
@click.pass_obj
def command(
    profiles: Profiles, devices: tuple[str, ...], path: Path, bundle: str | None, formats: tuple[tuple[str, str], ...]
) -> int:
    """Run a small reference on every board in edgecheck.yaml.

    The boards run it side by side. One that differs from the others of its
    kind, or from its own past, is named: it may lack a heat sink, have a bad
    SD card or another system. Naming one takes at least three boards, or five
    earlier readings.

    Exit codes: 0 all are in line, 1 one is not, 3 one could not be measured,
    or two differ.
    """
    from edgecheck.checks.health import ask_boards, boards_of
    from edgecheck.core.health import health_of, undecided

    ensure_places(formats)
    boards = boards_of(load_project(Path.cwd()), devices)
    total = sum(map(len, boards.values()))
    with Progress(total) as progress:
        report = ask_boards(boards, profiles, progress.show, progress.show_step, bundle=bundle or "")
    found = health_of(report, _past(path))
    _keep(report, path)
    _write(report, found, undecided(report), formats)
    if any(one.doubts for one in found):
        return 1
    return UndecidedError.exit_code if undecided(report) or any(one.problem for one in found) else 0


def _past(path: Path) -> Sequence[Series]:
    """What the history has; nothing where it has not begun."""
    from edgecheck.checks.history import Left, Wanted, read

    if not path.exists():
        return ()
    left = Left()
    found = read(path, Wanted(), left)
    for words in left.words(path):
        click.echo(f"edgecheck: {words}", err=True)
    return found


def _keep(report: Report, path: Path) -> None:
    from edgecheck.checks.history import append
    from edgecheck.core.history import readings_of

    append(path, readings_of(report, "", ""), lambda words: click.echo(f"edgecheck: {words}", err=True))


def _write(
    report: Report, found: Sequence[BoardHealth], remarks: Sequence[str], formats: tuple[tuple[str, str], ...]
) -> None:
    from edgecheck.reports import render
    from edgecheck.reports.health import health_text

    for name, file in formats or (("terminal", ""),):
        text = render("json", report) if name == "json" else health_text(found, remarks)
        if file:
            write_report(Path(file), text)
        else:
            print_report(name, text)
