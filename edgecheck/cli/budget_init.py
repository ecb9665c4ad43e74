"""`edgecheck budget init`: a first budget, from what a model needs now."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import click
from platformdirs import user_cache_path

from edgecheck.checks import perform
from edgecheck.checks.plan import Addresses, addresses, plan
from edgecheck.cli import options
from edgecheck.cli.files import write_report
from edgecheck.cli.progress import Progress
from edgecheck.config import Profiles, load_project
from edgecheck.config.first_budget import first_budget
from edgecheck.converters.interface import READY, ConversionSettings
from edgecheck.core.address import forms
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import THIS_MACHINE
from edgecheck.errors import UndecidedError, UsageError
from edgecheck.targets import nearest

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
    default=THIS_MACHINE,
    show_default=True,
    metavar="ID",
    shell_complete=options.complete_devices,
    help="The device that the model must fit.",
)
@click.option(
    "--target",
    metavar="ADDRESS",
    shell_complete=options.complete_targets,
    help=f"Where to run: {forms()}.",
)
@click.option(
    "--variant", metavar="NAME", help="How to convert the model. [default: as-is for .tflite and .onnx, else float32]"
)
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
    model: Path, device: str, target: str | None, variant: str | None, headroom: float, output: Path | None
) -> int:
    """Measure a model and write a budget that it meets, with headroom.

    A comment next to each limit shows the figure that it comes from. What
    cannot be measured on the target is left out, and a comment says why.
    """
    if output is not None and (output.exists() or not output.parent.is_dir()):
        why = "already exists" if output.exists() else "is in a folder that does not exist"
        raise UsageError(
            f"{output} {why}.", "Name another file, or tighten an existing budget: edgecheck budget ratchet"
        )
    project = load_project(Path.cwd())
    profile = Profiles((), project.profiles).get(device)
    ready = model.suffix.lstrip(".") in READY
    budget = Budget(
        name=model.stem,
        path="",
        model=Model(model),
        variants=(Variant(variant or ("as-is" if ready else "float32")),),
        format="",
        samples=None,
        inputs={},
        threads=1,
        effort=Effort(),
        devices=((profile, ()),),
    )
    where = addresses([target] if target else [], project, [budget])
    if not (where.default or where.by_device.get(device)):
        where = Addresses({}, nearest(profile))
    with Progress(1) as progress:
        checks = plan([budget], where)
        (result,) = perform.perform(checks, ConversionSettings(user_cache_path("edgecheck")), progress.show)
    if result.artifact is None or result.problem:
        raise UndecidedError(result.problem, result.hint)
    folder = output.parent if output is not None else Path.cwd()
    today = datetime.now(timezone.utc).date().isoformat()
    text = first_budget(result, Path(os.path.relpath(model, folder)).as_posix(), headroom, today)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_report(output, text)
        click.echo(f"Wrote {output}. Try it: edgecheck check {output}", err=True)
    return 0
