"""`edgecheck devices calibrate`: measures a profile's constants on the device itself."""

from __future__ import annotations

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
@click.option("--network", "networks", multiple=True, metavar="NAME", help="Run only these networks; at least two.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff and write nothing.")
@click.pass_obj
def command(profiles: Profiles, address: str, device: str, networks: tuple[str, ...], *, dry_run: bool) -> None:
    """Measure how many nanoseconds an instruction takes on a device.

    Small float and int8 networks run on the device at ADDRESS, and again in
    the emulated machine with the same core, which counts their instructions.
    The constants go into the profile's file; its comments stay.
    """
    from edgecheck.checks.calibrate import Board, calibrate, ensure_possible

    profile = profiles.get(device)
    board = Board(profile, load_project(Path.cwd()).address(address))
    ensure_possible(board, networks)
    _ensure_editable(profile, dry_run=dry_run)
    with Progress(1) as progress:
        done = calibrate(board, progress.show, networks=networks)
    _show(done)
    write(profile, done, dry_run=dry_run)


def write(profile: DeviceProfile, done: Calibration, *, dry_run: bool) -> None:
    """Put the constants into the profile's file, or show how the file would change.

    Raises:
        UsageError: the file cannot be edited in place, or cannot be written.
    """
    from edgecheck.config.calibrated import calibrated

    path = Path(profile.path)
    each = calibrated(path, done.constants, derived=bool(profile.projection.derived_from))
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
    calibrated(path, {"float": guess, "int8": guess}, derived=bool(profile.projection.derived_from))
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
