"""`edgecheck devices calibrate`: a profile's constants, measured on the device itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli import editing
from edgecheck.cli.progress import Progress
from edgecheck.config.text_file import shown_path

if TYPE_CHECKING:
    from edgecheck.calibrating import Calibration
    from edgecheck.config import Profiles


@click.command(
    "calibrate",
    epilog="\b\nExample:\n  edgecheck devices calibrate ssh://pi@raspberrypi.local --profile my-pi",
)
@click.argument("address")
@click.option("--profile", "device", required=True, metavar="ID", help="The profile to write the constants into.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff and write nothing.")
@click.pass_obj
def command(profiles: Profiles, address: str, device: str, *, dry_run: bool) -> None:
    """Measure a device's nanoseconds per instruction.

    Small float and int8 networks run on the device at ADDRESS, and once more
    in the emulated machine with its core, which counts their instructions.
    The constants go into the profile's file; its comments stay.
    """
    from edgecheck.calibrating import Place, calibrate
    from edgecheck.config.calibrated import calibrated

    profile = profiles.get(device)
    with Progress(1) as progress:
        done = calibrate(Place(profile, address), progress.tell)
    _tell(done)
    path = Path(profile.path)
    each = calibrated(path, done.constants, derived=bool(profile.projection.derived_from))
    if dry_run:
        editing.show(path, each.before, each.after)
    elif each.after != each.before:
        editing.write(path, each.after)
        click.echo(f"{shown_path(path)} is written.", err=True)


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
