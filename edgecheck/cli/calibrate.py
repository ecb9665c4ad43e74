"""`edgecheck devices calibrate`: a profile's constants, measured on the device itself."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli import editing
from edgecheck.cli.progress import Progress
from edgecheck.config.listing import comes_along
from edgecheck.config.text_file import shown_path
from edgecheck.core.address import parse
from edgecheck.core.device import Constant
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.checks.calibrate import Calibration
    from edgecheck.config import Profiles
    from edgecheck.core.device import DeviceProfile


@click.command(
    "calibrate",
    epilog="\b\nExample:\n  edgecheck devices calibrate ssh://pi@raspberrypi.local --profile my-pi",
)
@click.argument("address")
@click.option("--profile", "device", required=True, metavar="ID", help="The profile to write the constants into.")
@click.option("--network", "networks", multiple=True, metavar="NAME", help="Run these alone; two of them at least.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff and write nothing.")
@click.pass_obj
def command(profiles: Profiles, address: str, device: str, networks: tuple[str, ...], *, dry_run: bool) -> None:
    """Measure a device's nanoseconds per instruction.

    Small float and int8 networks run on the device at ADDRESS, and once more
    in the emulated machine with its core, which counts their instructions.
    The constants go into the profile's file; its comments stay.
    """
    from edgecheck.checks.calibrate import Board, calibrate, ensure_possible

    profile = profiles.get(device)
    board = Board(profile, parse(address))
    ensure_possible(board, networks)
    _ensure_editable(profile, dry_run=dry_run)
    with Progress(1) as progress:
        done = calibrate(board, progress.tell, networks=networks)
    _tell(done)
    write(profile, done, dry_run=dry_run)


def write(profile: DeviceProfile, done: Calibration, *, dry_run: bool) -> None:
    """Put the constants into the profile's file, or show how it would change.

    Raises:
        UsageError: the file cannot be edited in place, or not be written.
    """
    from edgecheck.config.calibrated import calibrated

    path = Path(profile.path)
    each = calibrated(path, done.constants, derived=bool(profile.projection.derived_from))
    if dry_run:
        editing.show(path, each.before, each.after)
    elif each.after != each.before:
        editing.write(path, each.after)
        click.echo(f"{shown_path(path)} is written.", err=True)


def _ensure_editable(profile: DeviceProfile, *, dry_run: bool) -> None:
    """Before minutes are spent on what cannot be kept; raises as `write` does."""
    from edgecheck.config.calibrated import calibrated

    path = Path(profile.path)
    guess = Constant(1.0, 1.0, "any")
    calibrated(path, {"float": guess, "int8": guess}, derived=bool(profile.projection.derived_from))
    if dry_run:
        return
    if comes_along(path):
        raise UsageError(
            f"The profile {profile.id} comes with edgecheck: the next version would undo the change.",
            f"Make it yours first: cp {shlex.quote(str(path))} device_profiles/",
        )
    if not os.access(path, os.W_OK):
        raise UsageError(f"{shown_path(path)} may not be written.", "Look at its owner and its mode.")


def _tell(done: Calibration) -> None:
    for pairs in done.pairs.values():
        for pair in pairs:
            figures = f"{pair.latency * 1e3:.3g} ms, {pair.instructions / 1e6:.1f} M instructions"
            click.echo(f"{pair.network:<20} {figures}, {pair.ns_per_instruction:.3g} ns each", err=True)
    for kind, constant in done.constants.items():
        count = len(done.pairs[kind])
        click.echo(
            f"{kind}: {constant.ns_per_instruction:.3g} ns an instruction, spread {constant.spread:.0%} over "
            f"{count} networks on {constant.runtime}",
            err=True,
        )
