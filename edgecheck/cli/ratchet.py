"""`edgecheck budget ratchet`: limits follow what was reached, and never go back."""

from __future__ import annotations

from pathlib import Path

import click

from edgecheck.checks import report_files
from edgecheck.cli import editing
from edgecheck.config import load_project
from edgecheck.config.listing import yaml_files
from edgecheck.config.problems import Problem, RefusedError
from edgecheck.config.ratchet import Ratcheted, ratcheted
from edgecheck.config.text_file import shown_path
from edgecheck.core.units import Unit, parse
from edgecheck.errors import ConfigError, UsageError

_PATH = click.Path(path_type=Path, exists=True)


class ShareParam(click.ParamType[float]):
    """A share such as `5%` or `0.05`."""

    name = "SHARE"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number."""
        try:
            share = parse(value, Unit.RATIO)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if share > 1:
            self.fail(f"{value} is more than 1; expected a share from 0 to 1, such as 5%", param, ctx)
        return share


@click.command("ratchet", epilog="\b\nExample:\n  edgecheck budget ratchet budgets/ --from head.json --dry-run")
@click.argument("paths", nargs=-1, type=_PATH, metavar="[FILE|FOLDER]...")
@click.option(
    "--from", "source", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Results (JSON)."
)
@click.option("--headroom", type=ShareParam(), default="5%", show_default=True, help="Room left beside what was found.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff and write nothing.")
def command(paths: tuple[Path, ...], source: Path, headroom: float, *, dry_run: bool) -> int:
    """Tighten limits to what the results reached.

    Only the values change: comments, order, quotes and units stay. No limit
    is loosened, and none is tightened whose results do not hold.
    """
    report = report_files.load(source)
    asked = paths or load_project(Path.cwd()).budgets
    if not asked:
        raise UsageError("There is nothing to tighten: name budgets.", "edgecheck budget ratchet budgets/ --from FILE")
    problems: list[Problem] = []
    files = yaml_files(asked, problems)
    done = {}
    for file in files:
        try:
            done[file] = ratcheted(file, report, headroom)
        except RefusedError as error:
            problems.append(error.problem)
    if problems:
        raise ConfigError([str(problem) for problem in sorted(set(problems))])
    for file, each in done.items():
        _tell(file, each, dry_run=dry_run)
        if each.changes and not dry_run:
            editing.write(file, each.after)
    count = sum(len(each.changes) for each in done.values())
    click.echo(f"{count} limit{'s' if count != 1 else ''} {'would be ' if dry_run else ''}tightened.", err=True)
    return 0


def _tell(file: Path, each: Ratcheted, *, dry_run: bool) -> None:
    name = shown_path(file)
    if dry_run:
        editing.show(file, each.before, each.after)
    else:
        for change in each.changes:
            click.echo(f"{name}:{change.line}: {change.key}: {change.old} -> {change.new}")
    for sentence in each.kept:
        click.echo(f"{sentence} (kept)", err=True)
