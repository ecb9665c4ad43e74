"""`edgecheck budget`: what an editor of budgets needs; `lint` and `schema` are here, the others in their modules."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgecheck.cli import mistakes, options
from edgecheck.cli.commands import LazyGroup
from edgecheck.cli.files import write_report
from edgecheck.cli.outputs import ensure_places, print_report
from edgecheck.config import Profiles, budget_schema, lint, load_project, profile_schema, project_schema
from edgecheck.errors import UsageError

_PATH = click.Path(path_type=Path, exists=True)

_MODULES = {
    "init": ("edgecheck.cli.budget_init", "Measure a model and write a budget that it meets."),
    "ratchet": ("edgecheck.cli.ratchet", "Tighten limits to the results."),
}


@click.group(
    "budget",
    cls=LazyGroup,
    modules=_MODULES,
    epilog="\b\nExamples:\n  edgecheck budget lint budgets/ device_profiles/\n  edgecheck budget schema",
)
def command() -> None:
    """Write, tighten and lint budgets, or print their JSON Schema."""


@command.command(
    "lint",
    short_help="Check budgets, profiles and edgecheck.yaml.",
    epilog="\b\nExample:\n  edgecheck budget lint budgets/ device_profiles/",
)
@click.argument("paths", nargs=-1, type=_PATH, metavar="[FILE|FOLDER]...")
@click.option(
    "--profiles", multiple=True, type=_PATH, metavar="FOLDER", help="Search this folder for device profiles first."
)
@options.format_option(mistakes.FORMATS)
def lint_command(paths: tuple[Path, ...], profiles: tuple[Path, ...], formats: tuple[tuple[str, str], ...]) -> int:
    """Check budgets, profiles and edgecheck.yaml, without running anything.

    Exits with 2 if a file has a problem; warnings do not change the exit code.
    In a job on GitHub the lines are annotated without an option.
    """
    ensure_places(formats)
    project = load_project(Path.cwd())
    files = paths or project.budgets
    if not files:
        raise UsageError("There is nothing to lint: name files or folders.", "edgecheck budget lint budgets/")
    findings = lint(files, profiles, project.profiles)
    printed = next((name for name, file in formats if not file), "terminal")
    print_report(printed, mistakes.render(printed, findings))
    for name, file in formats:
        if file:
            write_report(Path(file), mistakes.render(name, findings))
    if printed != "github":
        mistakes.annotate(findings)
    problems = f"{_count(len(findings.problems), 'problem')}, {_count(len(findings.warnings), 'warning')}"
    click.echo(f"{_count(findings.files, 'file')}: {problems}.", err=True)
    return 2 if findings.problems else 0


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


@command.command(
    "schema",
    short_help="Print the JSON Schema of budgets, for editors.",
    epilog="\b\nExample:\n  edgecheck budget schema > budget.schema.json\n"
    "  # yaml-language-server: $schema=../budget.schema.json      as the first line of a budget",
)
@click.option("--profile", "kind", flag_value="profile", help="Print the schema of device profiles instead.")
@click.option("--project", "kind", flag_value="project", help="Print the schema of edgecheck.yaml instead.")
def schema_command(kind: str | None) -> None:
    """Print the JSON Schema of budgets, for editors that complete and check YAML.

    It completes the devices that have profiles here.
    """
    match kind:
        case "profile":
            schema = profile_schema()
        case "project":
            schema = project_schema()
        case _:
            schema = budget_schema(Profiles((), load_project(Path.cwd()).profiles).ids())
    click.echo(json.dumps(schema, indent=1, ensure_ascii=False))
