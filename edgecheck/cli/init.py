"""`edgecheck init`: a project's first budget, its settings and its CI job, from one measurement."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.checks.from_model import ModelSettings, usual_variant
from edgecheck.cli import options
from edgecheck.cli.budget_init import left_out, measured, profile_for
from edgecheck.cli.files import ensure_folder, next_step
from edgecheck.config import Profiles, budget_schema, load_project
from edgecheck.config.first_files import CI_FILES, PLACEHOLDERS, ci_file, first_budget, project_file
from edgecheck.config.project import is_project
from edgecheck.converters.interface import TRUST_ALL
from edgecheck.core.budget import Variant
from edgecheck.core.device import THIS_MACHINE
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.core.report import CheckResult

_SCHEMA = "budget.schema.json"
_NONE = "none"

_EXAMPLES = """
\b
Examples:
  edgecheck init                                      asks for all it needs
  edgecheck init model.tflite --device raspberry-pi-4-2gb --ci github
  edgecheck init model.onnx --device pixel-8 --device jetson-nano --ci none
  edgecheck init model.onnx --target ssh://pi@raspberrypi.local --name doorbell
"""


@click.command("init", epilog=_EXAMPLES)
@click.argument("model", required=False, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="ID",
    shell_complete=options.complete_devices,
    help="A device that the model must fit; may be repeated. [default: asked for, else this machine]",
)
@options.TARGET
@click.option(
    "--ci",
    type=click.Choice([*CI_FILES, _NONE]),
    help="The CI system whose job to write. [default: asked for, else none]",
)
@click.option("--name", default="", metavar="NAME", help="The budget's name. [default: the model's]")
@click.option(
    "--headroom",
    type=options.ShareParam(),
    default="20%",
    show_default=True,
    help="Margin between each figure and its limit.",
)
@options.TRUST
def command(
    model: Path | None,
    devices: tuple[str, ...],
    targets: tuple[str, ...],
    ci: str | None,
    name: str,
    headroom: float,
    *,
    trust: bool,
) -> int:
    """Set up a project: measure a model once, and write its first files.

    Writes budgets/NAME.yaml with limits that the model meets, a schema for
    editors, edgecheck.yaml, and the file of a CI job. On a terminal it asks
    for what is not given. No file is ever overwritten.

    Exit codes: 0 written, 1 the model does not run there, 3 not everything
    could be measured.
    """
    asked = _asked(model, devices, ci, is_default=bool(targets))
    called = name or re.sub(r"[^\w.-]+", "-", asked.model.stem).strip("-.") or "model"
    place = Path("budgets", f"{called}.yaml")
    if not re.fullmatch(r"[\w][\w.-]*", called):
        raise UsageError(
            f"--name {name} is not a valid name.", "Use letters, digits, dots, dashes and underscores: doorbell"
        )
    if place.exists():
        raise UsageError(
            f"{place} already exists, and init overwrites nothing.",
            f"Choose another name: edgecheck init {asked.model} --name other",
        )
    ensure_folder(place.parent, "Change to a folder that can be written to: cd FOLDER")
    results = _measured(asked, targets, trust=trust)
    _write_all(asked, results, place, headroom)
    return max((left_out(result) for result in results), key=_WORST.index)


#: Exit codes, the worst last.
_WORST = (0, 3, 1)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was given or answered."""

    model: Path
    devices: tuple[str, ...]
    """Empty: the one at the target, else this machine."""
    ci: str


def _asked(model: Path | None, devices: tuple[str, ...], ci: str | None, *, is_default: bool) -> _Asked:
    """What is missing is asked for on a terminal; elsewhere it has a default, or is an error.

    Raises:
        UsageError: no model is named, and nobody can be asked.
    """
    can_ask = sys.stdin.isatty() and sys.stderr.isatty()
    if model is None:
        if not can_ask:
            raise UsageError("No model is named.", "edgecheck init MODEL --device ID --ci github")
        model = click.prompt("Model file", type=click.Path(path_type=Path, exists=True), err=True)
    if not devices and not is_default and can_ask:
        known = Profiles((), load_project(Path.cwd()).profiles).ids()
        click.echo(f"Devices: {', '.join(known)}", err=True)
        answer = click.prompt("Devices, separated by spaces", default=THIS_MACHINE, err=True)
        devices = tuple(answer.replace(",", " ").split())
    if ci is None and can_ask:
        ci = click.prompt("CI system", type=click.Choice([*CI_FILES, _NONE]), default=_NONE, err=True)
    return _Asked(model, devices, ci or _NONE)


def _measured(asked: _Asked, targets: tuple[str, ...], *, trust: bool) -> list[CheckResult]:
    """What is found on each device.

    Raises:
        UndecidedError: there is no artifact, or no run.
    """
    project, given = load_project(Path.cwd()), ModelSettings()
    results = []
    for device in asked.devices or (None,):
        own = tuple(text for text in targets if _is_for(text, device))
        profile = profile_for(asked.model, device, own, project, given)
        budget = given.budget(asked.model, variants=(Variant(usual_variant(asked.model)),), devices=((profile, ()),))
        if trust:
            budget = replace(budget, model=replace(budget.model, trusted=TRUST_ALL))
        click.echo(f"Measuring {asked.model} for {profile.name}.", err=True)
        results.append(measured(budget, own, project))
    return results


def _is_for(target: str, device: str | None) -> bool:
    """Whether `ADDRESS` or `DEVICE=ADDRESS` is about this device."""
    named, equals, _ = target.partition("://")[0].partition("=")
    return device is None or not equals or named == device


def _write_all(asked: _Asked, results: list[CheckResult], place: Path, headroom: float) -> None:
    """Write what is not there, and say for each file what it is for."""
    today = datetime.now(timezone.utc).date().isoformat()
    budget = first_budget(results[0], place.parent, headroom, today, tuple(results[1:]))
    emulated = all(result.profile.emulation_cpu for result in results)
    targets = {one.profile.id: one.target for one in results if "@" in one.target}
    schema = json.dumps(budget_schema(Profiles((), load_project(Path.cwd()).profiles).ids()), indent=1)
    _write(place, f"# yaml-language-server: $schema=../{_SCHEMA}\n{budget}", "the limits; edit them to what you need")
    _write(Path(_SCHEMA), f"{schema}\n", "the schema by which editors complete and check budgets")
    if not is_project(Path("pyproject.toml")):
        _write(Path("edgecheck.yaml"), project_file(targets), "where budgets and devices are")
    if asked.ci != _NONE:
        file = Path(CI_FILES[asked.ci])
        if _write(file, ci_file(asked.ci, emulated=emulated), "the CI job"):
            click.echo(f"Replace {PLACEHOLDERS} in {file} by where you have edgecheck from.", err=True)
    click.echo(f"Next: edgecheck check {place}", err=True)


def _write(path: Path, text: str, purpose: str) -> bool:
    """Write a new file and say so; one that exists is kept.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        click.echo(f"Kept  {path}, which exists.", err=True)
        return False
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror}.", next_step(path, error)) from error
    click.echo(f"Wrote {path}: {purpose}.", err=True)
    return True
