"""`edgecheck budget ratchet`: tightens limits to results; it never loosens one."""

from __future__ import annotations

from pathlib import Path

import click

from edgecheck.checks import baseline
from edgecheck.cli import files, options
from edgecheck.config import load_project
from edgecheck.config.files import shown_path, yaml_files
from edgecheck.config.problems import Problem, RefusedError
from edgecheck.config.ratchet import Ratcheted, ratcheted
from edgecheck.errors import ConfigError, UsageError

_PATH = click.Path(path_type=Path, exists=True)


@click.command("ratchet", epilog="\b\nExample:\n  edgecheck budget ratchet budgets/ --from head.json --dry-run")
@click.argument("paths", nargs=-1, type=_PATH, metavar="[FILE|FOLDER]...")
@click.option(
    "--from", "source", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Results (JSON)."
)
@click.option(
    "--headroom",
    type=options.ShareParam(),
    default="5%",
    show_default=True,
    help="Margin between each figure and its limit.",
)
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff and write nothing.")
def command(paths: tuple[Path, ...], source: Path, headroom: float, *, dry_run: bool) -> int:
    """Tighten limits to the results.

    Only the values change: comments, order, quotes and units stay. No limit
    is loosened, and one that failed or could not be decided stays as it is.
    """
    report = baseline.load(source)
    budgets = paths or load_project(Path.cwd()).budgets
    if not budgets:
        raise UsageError("There is nothing to tighten: name budgets.", "edgecheck budget ratchet budgets/ --from FILE")
    problems: list[Problem] = []
    budget_files = yaml_files(budgets, problems)
    done = {}
    for file in budget_files:
        try:
            done[file] = ratcheted(file, report, headroom)
        except RefusedError as error:
            problems.append(error.problem)
    if problems:
        raise ConfigError(sorted(set(problems)))
    for file, each in done.items():
        _show(file, each, dry_run=dry_run)
        if each.changes and not dry_run:
            files.write_edited(file, each.after)
    count = sum(len(each.changes) for each in done.values())
    click.echo(f"{count} limit{'s' if count != 1 else ''} {'would be ' if dry_run else ''}tightened.", err=True)
    return 0


def _show(file: Path, each: Ratcheted, *, dry_run: bool) -> None:
    name = shown_path(file)
    if dry_run:
        files.print_diff(file, each.before, each.after)
    else:
        for change in each.changes:
            click.echo(f"{name}:{change.line}: {change.key}: {change.old} -> {change.new}")
    for sentence in each.kept:
        click.echo(f"{sentence} (kept)", err=True)
