"""`edgecheck fit`: finds the variant of a model that fits a device with the least loss."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from edgecheck import __version__
from edgecheck.checks import perform
from edgecheck.checks.from_model import ModelSettings
from edgecheck.checks.invocation import now, this_host
from edgecheck.checks.plan import AUTO, Selection, addresses, plan_fit, select
from edgecheck.cli import options
from edgecheck.cli.files import write_report
from edgecheck.cli.outputs import ensure_places, print_report, terminal_style
from edgecheck.cli.progress import Progress
from edgecheck.config import load_project
from edgecheck.converters.interface import ConversionSettings
from edgecheck.core.budget import Variant
from edgecheck.errors import UsageError
from edgecheck.reports.fit import FORMATS, FitReport, render_fit
from edgecheck.targets import Reuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.core.budget import Budget
    from edgecheck.core.fitting import Fit

_EXAMPLES = """
\b
Examples:
  edgecheck fit emotion.keras --device raspberry-pi-zero-2-w --samples faces.npz
  edgecheck fit model.onnx --limit size=500kB --limit latency_p50=20ms
  edgecheck fit model.onnx --limit agreement=0.99 --variant float16 --variant int8
  edgecheck fit model.onnx --limit download=200kB --prune 0.3,0.5,0.8
  edgecheck fit budgets/doorbell.yaml --target raspberry-pi-4-2gb=ssh://pi@rack-1
  edgecheck fit model.tflite --device pixel-8 --all --format json=fit.json
"""
_PATH = click.Path(path_type=Path)


@click.command("fit", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, type=_PATH, metavar="[BUDGET|FOLDER|MODEL]...")
@options.DEVICE
@options.TARGET
@options.LIMIT
@options.model_options
@options.variants("Try only these")
@click.option(
    "--prune",
    "shares",
    type=options.SharesParam(),
    default=(),
    metavar="SHARES",
    help="Try every variant pruned by these shares, too: 0.3,0.5.",
)
@options.PROFILES
@options.format_option(FORMATS)
@click.option("--all", "every", is_flag=True, help="Run every variant on the device, even after one fits.")
@options.PIN
@options.TRUST
@options.MACHINES
@options.FRESH
def command(
    paths: tuple[Path, ...],
    devices: tuple[str, ...],
    targets: tuple[str, ...],
    limits: tuple[str, ...],
    variants: tuple[str, ...],
    shares: tuple[str, ...],
    profiles: tuple[Path, ...],
    formats: tuple[tuple[str, str], ...],
    machines: int,
    given: ModelSettings,
    *,
    every: bool,
    pin: bool,
    trust: bool,
    fresh: bool,
) -> int:
    """Find the variant that fits a device with the least loss.

    Converts the model to each variant, compares it with its source, and runs
    it on the device, the least lossy first, until one meets every limit. The
    converted models are cached: after an interruption nothing is converted again.

    Exit codes: 0 something fits, 1 nothing does, 3 it could not be decided.
    """
    began = time.monotonic()
    ensure_places(formats)
    project = load_project(Path.cwd())
    selection = Selection(
        paths=paths,
        devices=devices,
        limits=limits,
        profiles=profiles,
        trust=trust,
        variants=(AUTO,),
        given=given,
        pin=pin,
    )
    with Progress(1) as progress:
        budgets = select(selection, project, targets, progress.show)
    _ensure_limits(budgets)
    only = tuple(map(Variant, variants))
    checks = plan_fit(budgets, addresses(targets, project, budgets), only, tuple(map(float, shares)))
    checks = tuple(replace(check, reuse=Reuse(time.time(), fresh)) for check in checks)
    started = now()
    fits: list[Fit] = []
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(len(checks)))
        settings = ConversionSettings(user_cache_path("edgecheck"))
        for fit in perform.fit(checks, settings, progress.show, machines=machines, every=every):
            fits.append(fit)
            progress.next()
    report = FitReport(
        fits=tuple(fits), version=__version__, host=this_host(), started=started, seconds=time.monotonic() - began
    )
    for name, file in formats or (("terminal", ""),):
        if file:
            write_report(Path(file), render_fit(name, report))
        else:
            print_report(name, render_fit(name, report, terminal_style()))
    return report.exit_code


def _ensure_limits(budgets: Sequence[Budget]) -> None:
    for budget in budgets:
        for profile, limits in budget.devices:
            if not limits:
                raise UsageError(
                    f"There is no limit for {budget.model.path.name} on {profile.name}: everything would fit.",
                    "Set one: --limit size=1MB, or `limits:` in the budget or the profile.",
                )
