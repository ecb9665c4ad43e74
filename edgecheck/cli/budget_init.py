"""`edgecheck budget init`: a first budget, from what a model needs now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from edgecheck.checks import perform
from edgecheck.checks.from_model import ModelSettings, usual_variant
from edgecheck.checks.plan import Addresses, addresses, plan
from edgecheck.checks.which_devices import devices_of
from edgecheck.cli import options
from edgecheck.cli.files import ensure_writable, write_report
from edgecheck.cli.progress import Progress
from edgecheck.config import Profiles, load_project
from edgecheck.config.first_files import first_budget
from edgecheck.converters.interface import AS_IS, TRUST_ALL, VARIANTS, ConversionSettings
from edgecheck.core.address import forms
from edgecheck.core.budget import Variant
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.finding import Unmeasured
from edgecheck.core.run import Outcome
from edgecheck.core.text import clean
from edgecheck.errors import UndecidedError, UsageError
from edgecheck.targets import nearest

if TYPE_CHECKING:
    from edgecheck.config import Project
    from edgecheck.core.budget import Budget
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.report import CheckResult

_EXAMPLES = """
\b
Examples:
  edgecheck budget init model.tflite --device raspberry-pi-4-2gb
  edgecheck budget init model.onnx --headroom 10% --output budgets/model.yaml
"""


@click.command("init", epilog=_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--device",
    metavar="ID",
    shell_complete=options.complete_devices,
    help="The device that the model must fit. [default: the one at --target, else this machine]",
)
@click.option(
    "--target",
    metavar="ADDRESS",
    shell_complete=options.complete_targets,
    help=f"Where to run: {forms()}.",
)
@click.option(
    "--variant",
    type=click.Choice([AS_IS, *VARIANTS]),
    metavar="NAME",
    help="How to convert the model. [default: as-is for .tflite and .onnx, else float32]",
)
@options.model_options
@options.TRUST
@click.option(
    "--headroom",
    type=options.ShareParam(),
    default="20%",
    show_default=True,
    help="Margin between each figure and its limit.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the budget to this file instead of stdout.",
)
def command(
    model: Path,
    device: str | None,
    target: str | None,
    variant: str | None,
    headroom: float,
    output: Path | None,
    given: ModelSettings,
    *,
    trust: bool,
) -> int:
    """Measure a model and write a budget that it meets, with headroom.

    A comment next to each limit shows the figure that it comes from. What
    cannot be measured on the target is left out, and a comment says why.

    Exit codes: 0 a budget, 1 the model does not run there, 3 not everything
    could be measured.
    """
    _ensure_new(output)
    project, targets = load_project(Path.cwd()), (target,) if target else ()
    profile = profile_for(model, device, targets, project, given)
    budget = given.budget(model, variants=(Variant(variant or usual_variant(model)),), devices=((profile, ()),))
    if trust:
        budget = replace(budget, model=replace(budget.model, trusted=TRUST_ALL))
    result = measured(budget, targets, project)
    folder = output.parent if output is not None else Path.cwd()
    today = datetime.now(timezone.utc).date().isoformat()
    text = first_budget(result, folder, headroom, today)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_report(output, text)
        click.echo(f"Wrote {output}. Try it: edgecheck check {output}", err=True)
    return left_out(result)


def _ensure_new(output: Path | None) -> None:
    if output is None:
        return
    if output.exists():
        raise UsageError(
            f"{output} already exists.", f"Name another file, or tighten this one: edgecheck budget ratchet {output}"
        )
    ensure_writable(output)


def profile_for(
    model: Path, device: str | None, targets: tuple[str, ...], project: Project, given: ModelSettings
) -> DeviceProfile:
    """The device's profile: the one named, else that of the board at the target, else this machine's."""
    profiles = Profiles((), project.profiles)
    if device is None:
        with Progress(1) as progress:
            asked = devices_of(targets, project, profiles, model, progress.show)
        device = next(iter(asked), THIS_MACHINE)
    return given.on(profiles.get(device))


def measured(budget: Budget, targets: tuple[str, ...], project: Project) -> CheckResult:
    """What is found on the device.

    Raises:
        UndecidedError: there is no artifact, or no run.
    """
    ((profile, _),) = budget.devices
    where = addresses(targets, project, [budget])
    if not (where.default or where.by_device.get(profile.id)):
        where = Addresses({}, nearest(profile))
    with Progress(1) as progress:
        checks = plan([budget], where)
        (result,) = perform.perform(checks, ConversionSettings(user_cache_path("edgecheck")), progress.show)
    if result.artifact is None or result.problem:
        hint = result.hint.replace("edgecheck check ", "edgecheck budget init ", 1)
        raise UndecidedError(result.problem, hint)
    return result


def left_out(result: CheckResult) -> int:
    """Say what the budget has no limit on although it was to be measured, and return the exit code for that."""
    findings = [each for each in (result.findings or {}).values() if isinstance(each, Unmeasured)]
    failed = next((each for each in findings if each.fails and each.metric.needs_device), None)
    if failed is not None:
        click.echo(f"edgecheck: The model does not run there: {clean(failed.reason)}", err=True)
        return 1
    ended = [worker.ending for worker in result.run.workers] if result.run is not None else []
    badly = next((ending.message for ending in ended if ending.outcome is not Outcome.COMPLETED), "")
    broken = badly or (result.run.broken if result.run is not None else "")
    if broken:
        click.echo(f"edgecheck: Not everything could be measured: {clean(broken)}", err=True)
        return 3
    return 0
