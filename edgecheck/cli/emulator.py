"""`edgecheck emulator`: builds, imports and inspects the emulated machine, apart from any check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli import options
from edgecheck.cli.progress import Progress
from edgecheck.config import Profiles, load_project
from edgecheck.core.units import Unit, show

if TYPE_CHECKING:
    from edgecheck.emulator.hardware import Image

#: Packages that figures depend on, besides Python.
_NAMED = ("linux", "libc6", "libgomp1", "libstdc++6", "zlib1g")

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
    """Build, import or inspect the emulated machine.

    `edgecheck check --target qemu` builds what it needs; these commands are
    for building in advance, and for looking around.
    """


@command.command("build", epilog="\b\nExample:\n  edgecheck emulator build")
def build_command() -> None:
    """Build the system from arm64 packages of this host's apt sources."""
    from edgecheck.emulator import build

    with Progress(1) as progress:
        image = build.ensure(progress.show)
    _show_ready(image)


@command.command("import", epilog="\b\nExample:\n  edgecheck emulator import rootfs.tar")
@click.argument("tar", type=click.Path(path_type=Path))
def import_command(tar: Path) -> None:
    """Import the system from a tar file.

    The `machine` stage of Dockerfile.arm64 makes the file.
    """
    from edgecheck.emulator import build

    with Progress(1) as progress:
        image = build.import_tar(tar, progress.show)
    _show_ready(image)


def _show_ready(image: Image) -> None:
    click.echo(f"Python {image.python}, Linux {image.versions['linux']}, {show(image.bytes, Unit.BYTES)}: ready.")


@command.command("info", epilog="\b\nExample:\n  edgecheck emulator info")
def info_command() -> None:
    """Show what is built, where, and how much disk it takes."""
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
    """The packages that figures depend on, and how many others there are: an imported system has a hundred."""
    named = [name for name in versions if name in _NAMED or name.startswith("python3")]
    return f"{', '.join(f'{name} {versions[name]}' for name in named)} and {len(versions) - len(named)} other packages"


@command.command("shell", epilog="\b\nExample:\n  edgecheck emulator shell raspberry-pi-4-2gb")
@click.argument("device", metavar="ID", shell_complete=options.complete_devices)
def shell_command(device: str) -> None:
    """Open a shell in the emulated machine of a device.

    Leave it with `exit`. The runtime is under /bundle, the agent under /agent.
    """
    from edgecheck.core.address import EMULATED
    from edgecheck.emulator import machine
    from edgecheck.targets.qemu import open_target

    profile = Profiles((), load_project(Path.cwd()).profiles).get(device)
    with Progress(1) as progress:
        requirements = next(iter(profile.runtimes.values()), ())
        spec = open_target(EMULATED, profile).spec(requirements, 0, progress.show)
    argv = machine.shell(spec)
    os.execvp(argv[0], argv)  # noqa: S606 - the terminal is QEMU's from here on
