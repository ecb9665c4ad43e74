"""`edgecheck profile`: shows what each operator of a model takes on a device, and what grew since another model."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from edgecheck import __version__
from edgecheck.anatomy.formats import is_model_folder
from edgecheck.checks.from_model import ModelSettings
from edgecheck.checks.plan import Selection
from edgecheck.cli import options
from edgecheck.cli.files import write_report
from edgecheck.cli.outputs import ensure_places, print_report, terminal_style
from edgecheck.cli.progress import Progress
from edgecheck.config import load_project
from edgecheck.config.files import SUFFIXES, budgets_below
from edgecheck.converters.interface import ConversionSettings
from edgecheck.core.operator_groups import By
from edgecheck.errors import UsageError
from edgecheck.reports.profile import FORMATS, ProfileReport, render_profile
from edgecheck.targets import Reuse

if TYPE_CHECKING:
    from edgecheck.checks.profiling import Profiled
    from edgecheck.core.operator_changes import OperatorChanges

_EXAMPLES = """
\b
Examples:
  edgecheck profile model.tflite                                     this machine
  edgecheck profile model.onnx --by type --top 10
  edgecheck profile model.tflite --device raspberry-pi-4-2gb         emulated: instructions
  edgecheck profile model.onnx --target ssh://pi@rack-1              a board
  edgecheck profile new.tflite --against old.tflite                  what grew
  edgecheck profile model.onnx --format html=profile.html            a picture to explore
  edgecheck profile model.onnx --format trace=profile.json           for Perfetto
"""
_PATH = click.Path(path_type=Path)

#: Processes that profile each of two models on a device: what differs between processes must not look like growth.
_PROCESSES = 3

_NAME_IT = "Name the model: edgecheck profile MODEL"


@click.command("profile", epilog=_EXAMPLES)
@click.argument("model", type=_PATH)
@options.DEVICE
@options.TARGET
@click.option(
    "--by", type=click.Choice([by.value for by in By]), default=By.NODE.value, help="What each row is. [default: node]"
)
@options.TOP
@click.option(
    "--against", type=_PATH, metavar="OLD", help="Show which operators grew, shrank, appeared and vanished since OLD."
)
@options.model_options
@options.variants("How to convert the model")
@options.PROFILES
@options.format_option(FORMATS)
@options.PIN
@options.TRUST
@options.FRESH
def command(
    model: Path,
    devices: tuple[str, ...],
    targets: tuple[str, ...],
    by: str,
    top: int,
    against: Path | None,
    variants: tuple[str, ...],
    profiles: tuple[Path, ...],
    formats: tuple[tuple[str, str], ...],
    given: ModelSettings,
    *,
    pin: bool,
    trust: bool,
    fresh: bool,
) -> int:
    """Show what each operator of MODEL takes in an inference.

    The runtime's own profiler measures, in a separate pass. In the emulated
    machine, whose clock counts instructions, the figures are exact. With
    --against, operators are matched by name, then by type, shape and place.

    Exit codes: 0 the profile is shown, 2 invalid usage or model, 3 there is
    no profile: the runtime refused the model, or has no profiler.
    """
    ensure_places(formats)
    selection = Selection(
        paths=(model,),
        devices=devices,
        profiles=profiles,
        trust=trust,
        variants=variants[:1],
        given=given,
        pin=pin,
    )
    models = (model,) if against is None else (model, against)
    _ensure_one(models, variants)
    with Progress(len(models)) as progress:
        found, *others = _profiled(models, selection, targets, progress, fresh=fresh)
    report = _report(found, By(by), top)
    if others:
        (old,) = others
        report = replace(report, old=old.check.budget.model.path.name, changes=_changes(found, old))
    for name, file in formats or (("terminal", ""),):
        if file:
            write_report(Path(file), render_profile(name, report))
        else:
            print_report(name, render_profile(name, report, terminal_style()))
    return 0


def _ensure_one(models: tuple[Path, ...], variants: tuple[str, ...]) -> None:
    if len(variants) > 1:
        raise UsageError("profile takes one variant, and --variant is given twice.", "Name one variant.")
    for model in models:
        if model.suffix in SUFFIXES:
            raise UsageError(f"profile takes a model, but {model} is a budget.", _NAME_IT)
        if model.is_dir() and not is_model_folder(model):
            if budgets_below(model):
                raise UsageError(f"profile takes a model, but {model} is a folder of budgets.", _NAME_IT)
            if os.access(model, os.R_OK) and not any(model.iterdir()):
                raise UsageError(f"profile takes a model, but {model} is an empty folder.", _NAME_IT)


def _profiled(
    models: tuple[Path, ...], selection: Selection, targets: tuple[str, ...], progress: Progress, *, fresh: bool
) -> list[Profiled]:
    """The profile of each model, in the way that the options say.

    Raises:
        UndecidedError: there is none, or no one runtime runs both models.
    """
    from edgecheck.checks.profiling import ensure_one_format, plan_profile, profile_check

    project = load_project(Path.cwd())
    settings = ConversionSettings(user_cache_path("edgecheck"))
    reuse = Reuse(time.time(), fresh)
    checks = [
        replace(plan_profile(replace(selection, paths=(model,)), project, targets, progress.show), reuse=reuse)
        for model in models
    ]
    ensure_one_format(checks)
    processes = 1 if len(checks) == 1 else _PROCESSES
    found = [profile_check(checks[0], settings, progress.show, processes=processes)]
    for check in checks[1:]:
        progress.next()
        found.append(profile_check(check, settings, progress.show, processes=processes))
    return found


def _report(found: Profiled, by: By, top: int) -> ProfileReport:
    check = found.check
    return ProfileReport(
        model=check.budget.model.path.name,
        variant=str(check.variant),
        device=check.profile.name,
        target=str(check.target),
        threads=1 if found.profile.counted else check.budget.threads,
        profile=found.profile,
        by=by,
        top=top,
        version=__version__,
    )


def _changes(new: Profiled, old: Profiled) -> OperatorChanges:
    """What grew.

    Raises:
        UndecidedError: the two cannot be compared.
    """
    from edgecheck.checks.profiling import not_comparable
    from edgecheck.core.operator_changes import compare, differences

    if why := differences(new.profile, old.profile):
        raise not_comparable(why)
    return compare(new.profile, old.profile)
