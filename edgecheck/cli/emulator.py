"""`edgecheck emulator`: the emulated machine, apart from any check."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli import candidates
from edgecheck.cli.progress import Progress
from edgecheck.config import Profiles, load_project
from edgecheck.core.units import Unit, show

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXAMPLES = """
\b
Examples:
  edgecheck emulator build
  edgecheck emulator info
  edgecheck emulator shell raspberry-pi-4-2gb
  edgecheck emulator import rootfs.tar
"""


@click.group("emulator", epilog=_EXAMPLES)
def command() -> None:
    """Build, import or look into the emulated machine.

    `edgecheck check --target qemu` builds what it needs by itself; these
    commands are for doing so ahead, and for looking around.
    """


@command.command("build", epilog="\b\nExample:\n  edgecheck emulator build")
def build_command() -> None:
    """Build the system from this host's own arm64 packages."""
    from edgecheck.emulator import build

    with Progress(1) as progress:
        image = build.ensure(progress.tell)
    click.echo(f"Python {image.python}, Linux {image.versions['linux']}, {show(image.bytes, Unit.BYTES)}: ready.")


@command.command("import", epilog="\b\nExample:\n  edgecheck emulator import rootfs.tar")
@click.argument("tar", type=click.Path(path_type=Path))
def import_command(tar: Path) -> None:
    """Take the system from a tar, made by the `machine` stage of Dockerfile.arm64."""
    from edgecheck.emulator import build

    with Progress(1) as progress:
        image = build.import_tar(tar, progress.tell)
    click.echo(f"Python {image.python}, Linux {image.versions['linux']}, {show(image.bytes, Unit.BYTES)}: ready.")


@command.command("info", epilog="\b\nExample:\n  edgecheck emulator info")
def info_command() -> None:
    """Say what is built, where, and what it takes of the disk."""
    from edgecheck.emulator import build

    built = build.info()
    click.echo(f"folder   {built.folder}")
    click.echo(f"qemu     {built.qemu or 'not found: sudo apt-get install --no-install-recommends qemu-system-arm'}")
    for image in built.images:
        click.echo(f"system   Python {image.python}, {show(image.bytes, Unit.BYTES)}, {image.origin}")
        click.echo(f"         {_packages(image.versions)}")
    if not built.images:
        click.echo("system   none yet: edgecheck emulator build")
    click.echo(f"disks    {show(built.disk_bytes, Unit.BYTES)} of runtimes and agents")
    click.echo(f"states   {show(built.state_bytes, Unit.BYTES)} of saved machines")


def _packages(versions: Mapping[str, str]) -> str:
    """Those that figures depend on, and how many there are besides: an imported system has a hundred."""
    named = [name for name in versions if name in _TELLING or name.startswith("python3")]
    return f"{', '.join(f'{name} {versions[name]}' for name in named)} and {len(versions) - len(named)} other packages"


_TELLING = ("linux", "libc6", "libgomp1", "libstdc++6", "zlib1g")


@command.command("shell", epilog="\b\nExample:\n  edgecheck emulator shell raspberry-pi-4-2gb")
@click.argument("device", metavar="ID", shell_complete=candidates.devices)
def shell_command(device: str) -> None:
    """Open a prompt inside the machine of a device; leave it with `exit`.

    The runtime lies under /bundle and the agent under /agent.
    """
    from edgecheck.core.address import EMULATED
    from edgecheck.emulator import machine
    from edgecheck.targets.qemu import open_target

    profile = Profiles(load_project(Path.cwd()).profiles).get(device)
    with Progress(1) as progress:
        requirements = next(iter(profile.runtimes.values()), ())
        spec = open_target(EMULATED, profile).spec(requirements, 0, progress.tell)
    argv = machine.shell(spec)
    os.execvp(argv[0], argv)  # noqa: S606 - the terminal is QEMU's from here on
