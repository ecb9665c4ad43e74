"""`edgecheck budget`: what an editor of budgets needs, without running anything."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgecheck.cli import budget_init, ratchet
from edgecheck.config import budget_schema, lint, load_project, profile_schema
from edgecheck.errors import UsageError

_PATH = click.Path(path_type=Path, exists=True)


@click.group(
    "budget", epilog="\b\nExamples:\n  edgecheck budget lint budgets/ device_profiles/\n  edgecheck budget schema"
)
def command() -> None:
    """Write, tighten and lint budgets, or write their JSON Schema."""


@command.command("lint", epilog="\b\nExample:\n  edgecheck budget lint budgets/ device_profiles/")
@click.argument("paths", nargs=-1, type=_PATH, metavar="[FILE|FOLDER]...")
@click.option("--profiles", multiple=True, type=_PATH, metavar="FOLDER", help="Look for device profiles here first.")
def lint_command(paths: tuple[Path, ...], profiles: tuple[Path, ...]) -> int:
    """Check budgets, profiles and edgecheck.yaml, without running anything.

    Exits with 2 where a file has a problem; warnings are told and allowed.
    """
    project = load_project(Path.cwd())
    asked = paths or project.budgets
    if not asked:
        raise UsageError("There is nothing to lint: name files or folders.", "edgecheck budget lint budgets/")
    findings = lint(asked, (*profiles, *project.profiles))
    for problem in findings.problems:
        click.echo(str(problem))
    for warning in findings.warnings:
        click.echo(f"{warning} (warning)")
    counts = (findings.files, "file"), (len(findings.problems), "problem"), (len(findings.warnings), "warning")
    files, *found = (f"{count} {word}{'s' if count != 1 else ''}" for count, word in counts)
    click.echo(f"{files}: {', '.join(found)}.", err=True)
    return 2 if findings.problems else 0


@command.command(
    "schema",
    epilog="\b\nExample:\n  edgecheck budget schema > budget.schema.json\n"
    "  # yaml-language-server: $schema=../budget.schema.json      as the first line of a budget",
)
@click.option("--profile", is_flag=True, help="The schema of device profiles instead.")
def schema_command(*, profile: bool) -> None:
    """Write the JSON Schema of budgets, for editors that complete and check YAML."""
    click.echo(json.dumps(profile_schema() if profile else budget_schema(), indent=1, ensure_ascii=False))


command.add_command(budget_init.command)
command.add_command(ratchet.command)
