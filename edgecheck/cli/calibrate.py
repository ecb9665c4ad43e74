"""`edgecheck devices calibrate`: measures a profile's constants and costs on the device itself."""

from __future__ import annotations

import math
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli import files
from edgecheck.cli.progress import Progress
from edgecheck.config import load_project
from edgecheck.config.files import shown_path
from edgecheck.config.profiles import is_packaged
from edgecheck.core.cost_calibration import FEWEST, MOST
from edgecheck.core.device import THIS_MACHINE, Constant
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.checks.calibrate import Calibration
    from edgecheck.config import Profiles
    from edgecheck.core.cost_calibration import Fit
    from edgecheck.core.device import Costs, DeviceProfile


@click.command(
    "calibrate",
    epilog="\b\nExample:\n  edgecheck devices calibrate ssh://pi@raspberrypi.local --profile my-pi",
)
@click.argument("address")
@click.option("--profile", "device", required=True, metavar="ID", help="The profile to write the constants into.")
@click.option("--network", "networks", multiple=True, metavar="NAME", help="Run just these networks; at least two.")
@click.option(
    "--count", type=click.IntRange(FEWEST, MOST), default=FEWEST, show_default=True, help="Networks to choose and time."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("tflite", "onnx")),
    default="tflite",
    show_default=True,
    help="Of the networks.",
)
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff and write nothing.")
@click.pass_obj
def command(
    profiles: Profiles,
    address: str,
    device: str,
    networks: tuple[str, ...],
    count: int,
    form: str,
    *,
    dry_run: bool,
) -> None:
    """Measure what instructions and cache misses cost on a device.

    Small float and int8 networks run in the emulated machine with the same
    core, which counts their instructions and cache misses; those that differ
    most run on the device at ADDRESS. The costs go into the profile's file;
    its comments stay.
    """
    from edgecheck.checks.calibrate import Board, Choice, calibrate, ensure_possible

    profile = profiles.get(device)
    address_found = load_project(Path.cwd()).address(address)
    board = Board(profile, address_found, format=form, prior=_prior(profile, profiles))
    ensure_possible(board, networks)
    _ensure_editable(profile, dry_run=dry_run)
    with Progress(1) as progress:
        done = calibrate(board, progress.show, choice=Choice(networks, count))
    _show(done)
    write(profile, done, dry_run=dry_run)


def _prior(profile: DeviceProfile, profiles: Profiles) -> Costs | None:
    """The profile's costs, or those of a device that is emulated by the same core; None where there is none."""
    if profile.projection.costs is not None:
        return profile.projection.costs
    others = (profiles.get(name) for name in profiles.ids() if name != THIS_MACHINE)
    same = [
        each for each in others if each.emulation_cpu == profile.emulation_cpu and each.projection.costs is not None
    ]
    same.sort(
        key=lambda each: (
            each.cpu.core != profile.cpu.core,
            each.projection.costs.spread if each.projection.costs else 0,
        )
    )
    return same[0].projection.costs if same else None


def write(profile: DeviceProfile, done: Calibration, *, dry_run: bool) -> None:
    """Put the constants into the profile's file, or show how the file would change.

    Raises:
        UsageError: the file cannot be edited in place, or cannot be written.
    """
    from edgecheck.config.calibrated import calibrated

    path = Path(profile.path)
    costs = done.costs.costs if done.costs is not None else None
    each = calibrated(path, done.constants, costs, derived=bool(profile.projection.derived_from))
    if dry_run:
        files.print_diff(path, each.before, each.after)
    elif each.after != each.before:
        files.write_edited(path, each.after)
        click.echo(f"Wrote {shown_path(path)}.", err=True)


def _ensure_editable(profile: DeviceProfile, *, dry_run: bool) -> None:
    """Check that the constants can be kept, before minutes are spent on them; raises as `write` does."""
    from edgecheck.config.calibrated import calibrated

    path = Path(profile.path)
    guess = Constant(1.0, 1.0, "any")
    calibrated(path, {"float": guess, "int8": guess}, None, derived=bool(profile.projection.derived_from))
    if dry_run:
        return
    if is_packaged(path):
        raise UsageError(
            f"The profile {profile.id} comes with edgecheck: the next version would undo the change.",
            f"Copy it into your project first: cp {shlex.quote(str(path))} device_profiles/",
        )
    if not os.access(path, os.W_OK):
        raise UsageError(f"{shown_path(path)} cannot be written.", "Check its owner and its mode.")


def _show(done: Calibration) -> None:
    for pairs in done.pairs.values():
        for pair in pairs:
            figures = f"{pair.latency * 1e3:.3g} ms, {pair.instructions / 1e6:.1f} M instructions"
            click.echo(f"{pair.network:<20} {figures}, {pair.ns_per_instruction:.3g} ns per instruction", err=True)
    for kind, constant in done.constants.items():
        count = len(done.pairs[kind])
        click.echo(
            f"{kind}: {constant.ns_per_instruction:.3g} ns per instruction, spread {constant.spread:.0%} over "
            f"{count} networks on {constant.runtime}",
            err=True,
        )
    if done.costs is not None:
        _show_costs(done.costs)


def _show_costs(fit: Fit) -> None:
    """Their error comes before they are written."""
    count = fit.costs.networks
    how = "one factor for the costs of its core" if fit.factor_only else "all costs, near those of its core"
    error = "" if math.isinf(fit.error) else f", {fit.error:.0%} off in the median with each network left out"
    click.echo(f"costs: {how}, from {count} networks on {fit.costs.runtime}{error}", err=True)
    if fit.wants_more and count < MOST:
        click.echo(f"Another network would help: --count {max(FEWEST, count + 1)}", err=True)
